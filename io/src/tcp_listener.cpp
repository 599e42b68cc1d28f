#include <plait/io/tcp.hpp>

#include "accept_source.hpp"
#include "socket.hpp"
#include "sys.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

namespace plait::io {

tcp_listener::tcp_listener(detail::accept_source_ptr source, tcp_options accepted) noexcept
    : source_(std::move(source)), accepted_(accepted) {}

tcp_listener tcp_listener::listen(address at, listen_options options) {
  descriptor fd = open_socket(at.family(), SOCK_STREAM);
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  if (options.reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  if (at.is_v6() && options.v6_only) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
  apply(fd.get(), options.accepted);  // inherited by what it accepts
  system_calls& sys = sys_here();
  int answer = sys.bind(fd.get(), at.data(), at.size());
  if (answer == 0) answer = sys.listen(fd.get(), options.backlog);
  if (answer < 0) fail_to_bind(answer, "listen", at);
  return tcp_listener(detail::accept_source_ptr(new detail::accept_source(std::move(fd))),
                      options.accepted);
}

task<tcp_stream> tcp_listener::accept() {
  descriptor fd = co_await source_->accept(exhausted_);
  co_return tcp_stream(std::move(fd));
}

address tcp_listener::local_address() const { return local_address_of(fd()); }
int tcp_listener::fd() const noexcept { return source_->listening_fd(); }
void tcp_listener::close() noexcept { source_->close(); }

}  // namespace plait::io
