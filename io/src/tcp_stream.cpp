#include <plait/io/tcp.hpp>

#include "socket.hpp"
#include "sys.hpp"


#include <cerrno>
#include <sys/socket.h>

namespace plait::io {
namespace {

count_op make(op_lowering const& how, int fd, void const* data, std::size_t size, bool all) noexcept {
  count_op o(how, fd, const_cast<void*>(data), size);
  o.all = all;
  return o;
}

}  // namespace

task<tcp_stream> tcp_stream::connect(address to, tcp_options options) {
  descriptor fd = open_socket(to.family(), SOCK_STREAM);
  apply(fd.get(), options);
  plain_op attempt(lowerings::connect, fd.get(), const_cast<sockaddr*>(to.data()), to.size());
  result<void> const answer = co_await as_result(std::move(attempt));
  if (!answer) throw io_error(answer.error(), "to " + to.to_string());
  co_return tcp_stream(std::move(fd));
}

count_op tcp_stream::read_some(mutable_buffer into) noexcept {
  return make(lowerings::recv, fd(), into.data(), into.size(), false);
}

count_op tcp_stream::read_exactly(mutable_buffer into) noexcept {
  return make(lowerings::recv, fd(), into.data(), into.size(), true);
}

count_op tcp_stream::write_some(const_buffer from) noexcept {
  return make(lowerings::send, fd(), from.data(), from.size(), false);
}

count_op tcp_stream::write_all(const_buffer from) noexcept {
  return make(lowerings::send, fd(), from.data(), from.size(), true);
}

void tcp_stream::shutdown(shutdown_direction direction) {
  int const how = direction == shutdown_direction::read    ? SHUT_RD
                  : direction == shutdown_direction::write ? SHUT_WR
                                                           : SHUT_RDWR;
  int const answer = sys_here().shutdown(fd(), how);
  if (answer < 0 && answer != -ENOTCONN) throw_errno(answer, "shutdown");
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
