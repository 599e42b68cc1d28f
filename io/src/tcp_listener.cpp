#include <plait/io/tcp.hpp>

#include "accept_source.hpp"
#include "socket.hpp"
#include "sys.hpp"

#include <plait/sleep.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <netinet/in.h>
#include <sys/socket.h>

namespace plait::io {
namespace {

// accept(2): errors of the new connection, which the next one need not have; and what a driver may say
// although it was asked to wait.
bool is_transient(int error) {
  switch (error) {
    case EINTR: case EAGAIN:
    case ECONNABORTED: case EPROTO: case ENOPROTOOPT: case ENETDOWN: case ENETUNREACH:
    case EHOSTDOWN: case EHOSTUNREACH: case ENONET: case EOPNOTSUPP: case EPERM: case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

bool is_exhaustion(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

namespace detail {
void accept_source_deleter::operator()(accept_source* s) const noexcept { s->orphan(); }
}  // namespace detail

tcp_listener::tcp_listener(source_ptr source, tcp_options accepted) noexcept
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
  return tcp_listener(source_ptr(new detail::accept_source(std::move(fd))), options.accepted);
}

task<tcp_stream> tcp_listener::accept() {
  using namespace std::chrono_literals;
  duration patience = 5ms;
  for (;;) {
    int const answer = co_await source_->next();
    if (answer >= 0) co_return tcp_stream(descriptor(answer));
    if (is_transient(-answer)) continue;
    if (!is_exhaustion(-answer)) {
      std::error_code const code = answer == -ECANCELED || answer == -EINVAL
                                       ? make_error_code(errc::closed)
                                       : std::error_code(-answer, std::generic_category());
      throw io_error({code, 0, "accept"});
    }
    ++exhausted_;
    co_await sleep_for(patience);
    patience = std::min<duration>(patience * 2, 100ms);
  }
}

address tcp_listener::local_address() const { return local_address_of(fd()); }
int tcp_listener::fd() const noexcept { return source_->listening_fd(); }
void tcp_listener::close() noexcept { source_->close(); }

}  // namespace plait::io
