#include <plait/io/tcp.hpp>

#include "socket.hpp"
#include "sys.hpp"

#include <sys/socket.h>

namespace plait::io {

task<tcp_stream> tcp_stream::connect(address to, tcp_options options) {
  descriptor fd = open_socket(to.family(), SOCK_STREAM);
  apply(fd.get(), options);
  plain_op attempt(lowerings::connect, fd.get(), const_cast<sockaddr*>(to.data()), to.size());
  result<void> const answer = co_await as_result(std::move(attempt));
  if (!answer) throw io_error(answer.error(), "to " + to.to_string());
  co_return tcp_stream(std::move(fd));
}

void tcp_stream::abort() noexcept {
  linger const at_once{1, 0};
  sys_here().setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  fd_.close_now();
}

void tcp_stream::set_options(tcp_options const& options) { apply(fd(), options); }
address tcp_stream::local_address() const { return local_address_of(fd()); }
address tcp_stream::remote_address() const { return remote_address_of(fd()); }

}  // namespace plait::io
