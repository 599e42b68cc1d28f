#include "socket.hpp"

#include <plait/io/error.hpp>

#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace plait::io {
namespace {

[[noreturn]] void fail(char const* what, std::string const& about = {}) {
  throw io_error({std::error_code(errno, std::generic_category()), 0, what}, about);
}

template <class Call>
address address_by(Call call, int fd, char const* what) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (call(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) fail(what);
  return address::from(reinterpret_cast<sockaddr*>(&storage), size);
}

}  // namespace

descriptor open_socket(int family, int type, bool nonblocking) {
  int const fd = ::socket(family, type | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
  if (fd < 0) fail("socket", errno == EMFILE ? "(raise the descriptor limit: ulimit -n)" : "");
  return descriptor(fd);
}

void set_option(int fd, int level, int name, int value, char const* what) {
  if (::setsockopt(fd, level, name, &value, sizeof value) != 0) fail("setsockopt", what);
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

void fail_to_bind(char const* operation, address const& at) {
  std::string about = "on " + at.to_string();
  if (errno == EADDRINUSE) about += " (choose another port, or end the program that holds it)";
  if (errno == EACCES) about += " (ports below 1024 need CAP_NET_BIND_SERVICE)";
  if (errno == EADDRNOTAVAIL) about += " (no interface of this machine has that address)";
  fail(operation, about);
}

address local_address_of(int fd) { return address_by(::getsockname, fd, "getsockname"); }
address remote_address_of(int fd) { return address_by(::getpeername, fd, "getpeername"); }

}  // namespace plait::io
