#include <plait/io/passing.hpp>

#include "sys.hpp"

#include <cerrno>
#include <cstring>

namespace plait::io {
namespace {

constexpr std::size_t most_descriptors = 253;  // of one message: SCM_MAX_FD

template <class Fn>
void each_descriptor(msghdr& header, Fn fn) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    std::size_t const count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      fn(fd);
    }
  }
}

}  // namespace

receive_descriptors_op::receive_descriptors_op(int fd, mutable_buffer into)
    : message_op(lowerings::recv_msg, fd, into.data(), into.size(), MSG_CMSG_CLOEXEC),
      control_(CMSG_SPACE(most_descriptors * sizeof(int))) {}

// Before the start, and after a failure, the kernel has put nothing there.
receive_descriptors_op::~receive_descriptors_op() {
  if (answer > 0) each_descriptor(header_, [](int fd) { sys_here().close(fd); });
}

bool receive_descriptors_op::start(plait::detail::task_state& task) {
  if (size() == 0) {  // the kernel would hand over descriptors without a byte, again and again
    complete_inline(status::done);
    return false;
  }
  header_.msg_control = control_.data();
  header_.msg_controllen = control_.size();
  return message_op::start(task);
}

received_descriptors receive_descriptors_op::take() {
  received_descriptors got;
  got.bytes = static_cast<std::size_t>(answer);
  got.truncated = (header_.msg_flags & MSG_CTRUNC) != 0;
  got.descriptors.reserve(most_descriptors);
  each_descriptor(header_, [&got](int fd) { got.descriptors.emplace_back(fd); });
  header_.msg_controllen = 0;
  return got;
}

received_descriptors receive_descriptors_op::result() {
  if (failed()) throw_failure();
  return take();
}

io::result<received_descriptors> receive_descriptors_op::expected() {
  if (failed()) return tl::unexpected(failure());
  return take();
}

send_descriptors_op::send_descriptors_op(int fd, std::span<int const> fds, const_buffer with)
    : message_op(lowerings::send_msg, fd, with.data(), with.size()),
      control_(fds.empty() ? 0 : CMSG_SPACE(fds.size_bytes())) {
  if (fds.empty()) return;
  cmsghdr head{};
  head.cmsg_len = CMSG_LEN(fds.size_bytes());
  head.cmsg_level = SOL_SOCKET;
  head.cmsg_type = SCM_RIGHTS;
  std::memcpy(control_.data(), &head, sizeof head);
  std::memcpy(control_.data() + CMSG_LEN(0), fds.data(), fds.size_bytes());
}

bool send_descriptors_op::start(plait::detail::task_state& task) {
  if (size() == 0) {  // the kernel would send nothing, and say that it went well
    answer = -EINVAL;
    complete_inline(status::done);
    return false;
  }
  header_.msg_control = control_.data();
  header_.msg_controllen = control_.size();
  return message_op::start(task);
}

std::size_t send_descriptors_op::result() const {
  if (failed()) throw io_error(failure(), size() == 0 ? "(descriptors need a byte to go with)" : "");
  return static_cast<std::size_t>(answer);
}

io::result<std::size_t> send_descriptors_op::expected() const {
  if (failed()) return tl::unexpected(failure());
  return static_cast<std::size_t>(answer);
}

}  // namespace plait::io
