// What the sockets of the simulated world have in common: names, an error that waits for the next
// call, read and write as recv and send; and the table of the ports of TCP or UDP.
#pragma once

#include "agenda.hpp"
#include "open_file.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

#include <netinet/in.h>

namespace plait::io::sim {

// An address as the kernel has it, of any family.
struct socket_address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  static socket_address from(sockaddr const* given, socklen_t size) noexcept;
  static socket_address any_of(int family) noexcept;
  void give(sockaddr* into, socklen_t& room) const noexcept;

  int family() const noexcept { return storage.ss_family; }
  // Of an IPv4 or IPv6 address.
  std::uint16_t port() const noexcept;
  void set_port(std::uint16_t port) noexcept;
  bool is_any() const noexcept;  // the host is left open
  bool same_host(socket_address const& other) const noexcept;
  void set_host(socket_address const& other) noexcept;

 private:
  std::string_view host() const noexcept;
};

class any_socket : public open_file {
 public:
  any_socket(world& in, int family, int type) noexcept;

  int stat(struct stat& into) const noexcept override;
  ssize_t read(void* to, std::size_t bytes) noexcept override;
  ssize_t write(void const* from, std::size_t bytes) noexcept override;
  int shutdown(int how) noexcept override;
  int listen(int backlog) noexcept override;
  int accept(file_use& accepted) noexcept override;
  int setsockopt(int level, int name, void const* value, socklen_t size) noexcept override;
  int getsockopt(int level, int name, void* value, socklen_t& size) noexcept override;
  int getsockname(sockaddr* into, socklen_t& size) noexcept override;

  socket_address const& local() const noexcept { return local_; }
  int type() const noexcept { return type_; }

 protected:
  int take_error() noexcept { return std::exchange(error_, 0); }

  socket_address local_;
  int error_ = 0;  // for SO_ERROR, and for the next call
  bool shares_port_ = false;

 private:
  int type_;
};

// Which socket has which port.
class port_space {
 public:
  // Chooses a port where the address has none. 0 or -EADDRINUSE.
  int take(socket_address& at, any_socket& socket, bool shared);
  void release(any_socket const& socket) noexcept;
  // Of several that share the port any one; nullptr: nobody has it.
  any_socket* find(socket_address const& to, random_numbers& random) const noexcept;
  std::size_t size() const noexcept { return holders_.size(); }

 private:
  struct holder {
    socket_address at;
    any_socket* socket;
    bool shared;
  };
  bool is_free(socket_address const& at, bool shared) const noexcept;

  std::vector<holder> holders_;
  std::uint16_t next_ = 40000;
};

}  // namespace plait::io::sim
