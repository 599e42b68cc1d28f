// What sockets need of the system calls, with errors that say what was attempted.
#pragma once

#include <plait/io/address.hpp>
#include <plait/io/descriptor.hpp>
#include <plait/io/tcp.hpp>

#include <sys/socket.h>

namespace plait::io {

descriptor open_socket(int family, int type);  // blocking or not as the driver wants it
void set_option(int fd, int level, int name, int value, char const* what);
void set_buffers(int fd, int send_bytes, int receive_bytes);  // 0: left alone
void apply(int fd, tcp_options const& options);
[[noreturn]] void fail_to_bind(int answer, char const* operation, address const& at);

// An address of any family, as the kernel gives it.
struct socket_name {
  sockaddr const* data() const noexcept { return reinterpret_cast<sockaddr const*>(&storage); }
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
};
socket_name local_name_of(int fd);
address local_address_of(int fd);
address remote_address_of(int fd);

}  // namespace plait::io
