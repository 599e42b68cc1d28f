#include "sim_unix.hpp"

#include "sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/un.h>

namespace plait::io::sim {
namespace {

constexpr std::size_t begin = offsetof(sockaddr_un, sun_path);

// Abstract ones begin with a zero byte.
std::string name_of(socket_address const& at) {
  if (at.size <= begin) return {};
  auto const* const first = reinterpret_cast<char const*>(&at.storage) + begin;
  if (*first == '\0') return {first, at.size - begin};
  return {first, strnlen(first, at.size - begin)};
}

}  // namespace

int unix_names::take(socket_address const& at, mode_t mode, any_socket& socket) {
  std::string const name = name_of(at);
  if (name.empty()) return -EINVAL;
  if (name.front() == '\0') return abstract_.emplace(name, &socket).second ? 0 : -EADDRINUSE;
  file_node_ptr made;
  int const answer = files_.make_socket(name, mode, socket, made);
  if (answer == 0) bound_.push_back(std::move(made));
  return answer;
}

void unix_names::release(any_socket const& socket) noexcept {
  std::erase_if(abstract_, [&](auto const& a) { return a.second == &socket; });
  std::erase_if(bound_, [&](file_node_ptr const& node) {
    if (node->bound != &socket) return false;
    node->bound = nullptr;
    return true;
  });
}

int unix_names::find(socket_address const& at, any_socket*& found) const {
  std::string const name = name_of(at);
  if (name.empty()) return -EINVAL;
  if (name.front() == '\0') {
    auto const there = abstract_.find(name);
    if (there == abstract_.end()) return -ECONNREFUSED;
    found = there->second;
    return 0;
  }
  file_node_ptr const node = files_.find(name);
  if (node == nullptr) return -ENOENT;
  found = node->bound;
  return found != nullptr ? 0 : -ECONNREFUSED;
}

int unix_socket::stat(struct stat& into) const noexcept {
  into.st_mode = S_IFSOCK | mode_;
  return 0;
}

int unix_socket::chmod(mode_t mode) noexcept {
  mode_ = mode;
  return 0;
}

int unix_socket::bind(sockaddr const* at, socklen_t size) noexcept {
  socket_address const wanted = socket_address::from(at, size);
  if (wanted.family() != AF_UNIX || local_.size > begin) return -EINVAL;
  int const answer = world_.unix_sockets().take(wanted, mode_, *this);
  if (answer == 0) local_ = wanted;
  return answer;
}

// Everybody in this world is one process.
int unix_socket::getsockopt(int level, int name, void* value, socklen_t& size) noexcept {
  if (level != SOL_SOCKET || name != SO_PEERCRED) {
    return any_socket::getsockopt(level, name, value, size);
  }
  ucred const everybody{1, 0, 0};
  size = std::min<socklen_t>(size, sizeof everybody);
  std::memcpy(value, &everybody, size);
  return 0;
}

int unix_socket::find_peer(sockaddr const* at, socklen_t size, any_socket*& found) const {
  socket_address const wanted = socket_address::from(at, size);
  if (wanted.family() != AF_UNIX) return -EINVAL;
  if (int const answer = world_.unix_sockets().find(wanted, found); answer < 0) return answer;
  return found->type() == type() ? 0 : -EPROTOTYPE;
}

}  // namespace plait::io::sim
