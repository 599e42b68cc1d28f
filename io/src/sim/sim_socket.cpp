#include "sim_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace plait::io::sim {

socket_address socket_address::from(sockaddr const* given, socklen_t size) noexcept {
  socket_address a;
  a.size = std::min<socklen_t>(size, sizeof a.storage);
  std::memcpy(&a.storage, given, a.size);
  return a;
}

socket_address socket_address::any_of(int family) noexcept {
  socket_address a;
  a.storage.ss_family = static_cast<sa_family_t>(family);
  a.size = family == AF_INET ? sizeof(sockaddr_in) : family == AF_INET6 ? sizeof(sockaddr_in6) : 2;
  return a;
}

void socket_address::give(sockaddr* into, socklen_t& room) const noexcept {
  std::memcpy(into, &storage, std::min(room, size));
  room = size;
}

// Both families keep the port at the same place.
std::uint16_t socket_address::port() const noexcept {
  return ntohs(reinterpret_cast<sockaddr_in const&>(storage).sin_port);
}

void socket_address::set_port(std::uint16_t port) noexcept {
  reinterpret_cast<sockaddr_in&>(storage).sin_port = htons(port);
}

std::string_view socket_address::host() const noexcept {
  if (family() == AF_INET) {
    auto const& v4 = reinterpret_cast<sockaddr_in const&>(storage).sin_addr;
    return {reinterpret_cast<char const*>(&v4), sizeof v4};
  }
  auto const& v6 = reinterpret_cast<sockaddr_in6 const&>(storage).sin6_addr;
  return {reinterpret_cast<char const*>(&v6), sizeof v6};
}

bool socket_address::is_any() const noexcept {
  std::string_view const bytes = host();
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

bool socket_address::same_host(socket_address const& other) const noexcept {
  return host() == other.host();
}

void socket_address::set_host(socket_address const& other) noexcept {
  std::uint16_t const own = port();
  *this = other;
  set_port(own);
}

any_socket::any_socket(world& in, int family, int type) noexcept
    : open_file(in), local_(socket_address::any_of(family)), type_(type) {}

int any_socket::stat(struct stat& into) const noexcept {
  into.st_mode = S_IFSOCK | 0777;
  return 0;
}

ssize_t any_socket::read(void* to, std::size_t bytes) noexcept {
  iovec part{to, bytes};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return recvmsg(message, 0);
}

ssize_t any_socket::write(void const* from, std::size_t bytes) noexcept {
  iovec part{const_cast<void*>(from), bytes};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return sendmsg(message, 0);
}

int any_socket::shutdown(int) noexcept { return -ENOTCONN; }
int any_socket::listen(int) noexcept { return -EOPNOTSUPP; }
int any_socket::accept(file_use&) noexcept { return -EOPNOTSUPP; }

int any_socket::setsockopt(int level, int name, void const* value, socklen_t size) noexcept {
  if (size < sizeof(int)) return -EINVAL;
  int set = 0;
  std::memcpy(&set, value, sizeof set);
  if (level == SOL_SOCKET && name == SO_REUSEPORT) shares_port_ = set != 0;
  return 0;
}

int any_socket::getsockopt(int level, int name, void* value, socklen_t& size) noexcept {
  if (level != SOL_SOCKET || size < sizeof(int)) return -ENOPROTOOPT;
  if (name != SO_ERROR && name != SO_TYPE && name != SO_DOMAIN) return -ENOPROTOOPT;
  int const answer = name == SO_ERROR ? take_error() : name == SO_TYPE ? type_ : local_.family();
  std::memcpy(value, &answer, sizeof answer);
  size = sizeof answer;
  return 0;
}

int any_socket::getsockname(sockaddr* into, socklen_t& size) noexcept {
  local_.give(into, size);
  return 0;
}

bool port_space::is_free(socket_address const& at, bool shared) const noexcept {
  return std::none_of(holders_.begin(), holders_.end(), [&](holder const& h) {
    if (h.at.port() != at.port() || (shared && h.shared)) return false;
    return h.at.is_any() || at.is_any() || h.at.same_host(at);
  });
}

int port_space::take(socket_address& at, any_socket& socket, bool shared) {
  constexpr std::uint16_t first = 32768;
  constexpr std::uint16_t last = 60999;
  if (at.port() != 0) {
    if (!is_free(at, shared)) return -EADDRINUSE;
  } else {
    int tries = 0;
    do {
      if (++tries > last - first + 1) return -EADDRINUSE;
      at.set_port(next_);
      next_ = next_ == last ? first : static_cast<std::uint16_t>(next_ + 1);
    } while (!is_free(at, false));
  }
  holders_.push_back({at, &socket, shared});
  return 0;
}

void port_space::release(any_socket const& socket) noexcept {
  std::erase_if(holders_, [&](holder const& h) { return h.socket == &socket; });
}

// One that has the host comes before one that left it open.
any_socket* port_space::find(socket_address const& to, random_numbers& random) const noexcept {
  for (bool const open : {false, true}) {
    std::vector<any_socket*> fit;
    for (holder const& h : holders_) {
      bool const hosts = open ? h.at.is_any() || to.is_any() : h.at.same_host(to);
      if (h.at.port() == to.port() && hosts) fit.push_back(h.socket);
    }
    if (fit.size() == 1) return fit.front();
    if (!fit.empty()) return fit[random.below(fit.size())];
  }
  return nullptr;
}

}  // namespace plait::io::sim
