#include "pool_wire.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

namespace plait::detail {

namespace {

// As much room as descriptors_max need, aligned as the kernel wants it.
union control_room {
  cmsghdr aligned;
  char bytes[CMSG_SPACE(sizeof(int) * descriptors_max)];
};

// False where there were more than a message has: those are closed. The padding of the control data
// leaves the kernel room for one more than were asked for.
bool take_descriptors(system_calls& sys, msghdr& header, std::span<int> into) noexcept {
  bool fits = (header.msg_flags & MSG_CTRUNC) == 0;
  std::size_t taken = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    std::size_t const count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int passed = -1;
      std::memcpy(&passed, CMSG_DATA(c) + i * sizeof passed, sizeof passed);
      if (taken < into.size()) {
        into[taken++] = passed;
      } else {
        sys.close(passed);
        fits = false;
      }
    }
  }
  return fits;
}

}  // namespace

int send_control(system_calls& sys, int fd, control_message const& message,
                 std::span<int const> descriptors, int flags) {
  iovec part{const_cast<control_message*>(&message), sizeof message};
  control_room room{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = room.bytes;
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t const sent = sys.sendmsg(fd, header, flags);
  return sent < 0 ? static_cast<int>(sent) : 0;
}

int receive_control(system_calls& sys, int fd, received_control& to, int flags) {
  to.descriptors.fill(-1);
  iovec part{&to.message, sizeof to.message};
  control_room room{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = room.bytes;
  header.msg_controllen = sizeof room.bytes;
  ssize_t const got = sys.recvmsg(fd, header, flags);
  if (got < 0) return static_cast<int>(got);
  bool const took_all = take_descriptors(sys, header, to.descriptors);
  if (got == sizeof to.message && took_all) return 1;
  for (int& left : to.descriptors) {
    if (left >= 0) sys.close(std::exchange(left, -1));
  }
  return got == 0 ? 0 : -EBADMSG;
}

}  // namespace plait::detail
