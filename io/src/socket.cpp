#include "socket.hpp"

#include "io_driver.hpp"
#include "sys.hpp"

#include <plait/io/error.hpp>

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace plait::io {
namespace {

using name_call = int (system_calls::*)(int, sockaddr*, socklen_t&) noexcept;

socket_name name_by(name_call call, int fd, char const* what) {
  socket_name name;
  int const answer = (sys_here().*call)(fd, reinterpret_cast<sockaddr*>(&name.storage), name.size);
  if (answer < 0) throw_errno(answer, what);
  return name;
}

address address_of(socket_name const& name) { return address::from(name.data(), name.size); }

}  // namespace

descriptor open_socket(int family, int type) {
  io_driver& driver = io_driver::current();
  int const fd = driver.sys().socket(family, type | (driver.wants_nonblocking() ? SOCK_NONBLOCK : 0));
  if (fd < 0) throw_no_descriptor(fd, "socket");
  return descriptor(fd);
}

void set_option(int fd, int level, int name, int value, char const* what) {
  int const answer = sys_here().setsockopt(fd, level, name, &value, sizeof value);
  if (answer < 0) throw_errno(answer, "setsockopt", what);
}

void set_buffers(int fd, int send_bytes, int receive_bytes) {
  if (send_bytes > 0) set_option(fd, SOL_SOCKET, SO_SNDBUF, send_bytes, "SO_SNDBUF");
  if (receive_bytes > 0) set_option(fd, SOL_SOCKET, SO_RCVBUF, receive_bytes, "SO_RCVBUF");
}

void apply(int fd, tcp_options const& options) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, options.no_delay ? 1 : 0, "TCP_NODELAY");
  if (options.keep_alive) set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE");
  set_buffers(fd, options.send_buffer_bytes, options.receive_buffer_bytes);
}

void fail_to_bind(int answer, char const* operation, address const& at) {
  std::string about = "on " + at.to_string();
  if (answer == -EADDRINUSE) about += " (choose another port, or end the program that holds it)";
  if (answer == -EACCES) about += " (ports below 1024 need CAP_NET_BIND_SERVICE)";
  if (answer == -EADDRNOTAVAIL) about += " (no interface of this machine has that address)";
  throw_errno(answer, operation, about);
}

socket_name local_name_of(int fd) { return name_by(&system_calls::getsockname, fd, "getsockname"); }
address local_address_of(int fd) { return address_of(local_name_of(fd)); }
address remote_address_of(int fd) {
  return address_of(name_by(&system_calls::getpeername, fd, "getpeername"));
}

}  // namespace plait::io
