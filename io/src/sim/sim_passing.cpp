#include "sim_unix.hpp"
#include "sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace plait::io::sim {
namespace {

constexpr std::size_t most_passed = 253;  // SCM_MAX_FD

}  // namespace

int take_passed(world& in, msghdr const& message, std::vector<file_use>& passed) {
  auto& header = const_cast<msghdr&>(message);
  if (header.msg_controllen == 0) return 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) return -EINVAL;
    std::size_t const count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (passed.size() + count > most_passed) return -EINVAL;
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      open_file* const f = in.find(fd);
      if (f == nullptr) return -EBADF;
      passed.emplace_back(f->shared_from_this());
    }
  }
  return 0;
}

// What there is no room for, in the message or in the table, is closed.
void give_passed(world& in, msghdr& message, std::vector<file_use> passed) {
  std::size_t const control = std::exchange(message.msg_controllen, 0);
  if (passed.empty()) return;
  std::size_t const room = control < CMSG_LEN(0) ? 0 : (control - CMSG_LEN(0)) / sizeof(int);
  std::vector<int> given;
  for (file_use& one : passed) {
    if (given.size() == room || in.is_full()) break;
    given.push_back(in.enter(std::move(one)));
  }
  if (given.size() < passed.size()) message.msg_flags |= MSG_CTRUNC;
  if (given.empty()) return;
  cmsghdr head{};
  head.cmsg_len = CMSG_LEN(given.size() * sizeof(int));
  head.cmsg_level = SOL_SOCKET;
  head.cmsg_type = SCM_RIGHTS;
  auto* const to = static_cast<char*>(message.msg_control);
  std::memcpy(to, &head, sizeof head);
  std::memcpy(to + CMSG_LEN(0), given.data(), given.size() * sizeof(int));
  message.msg_controllen = std::min<std::size_t>(control, CMSG_SPACE(given.size() * sizeof(int)));
}

}  // namespace plait::io::sim
