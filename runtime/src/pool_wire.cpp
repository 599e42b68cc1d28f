#include "pool_wire.hpp"

#include <cerrno>
#include <cstring>

namespace plait::detail {

namespace {

// As much room as descriptors_max need, aligned as the kernel wants it.
union control_room {
  cmsghdr aligned;
  char bytes[CMSG_SPACE(sizeof(int) * descriptors_max)];
};

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
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    std::memcpy(to.descriptors.data(), CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
  }
  if (got == 0) return 0;
  return got == sizeof to.message ? 1 : -EBADMSG;
}

}  // namespace plait::detail
