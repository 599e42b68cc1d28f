#include "failing_calls.hpp"

#include <cerrno>

namespace plait::test {

bool failing_calls::fails() noexcept {
  if (good_-- > 0) return false;
  bool const now = !failed_ || then_all_;
  failed_ = true;
  return now;
}

int failing_calls::spawn_self(pid_t& made, char* const argv[], char* const environment[],
                              int given) noexcept {
  return fails() ? -EAGAIN : system_calls::spawn_self(made, argv, environment, given);
}

int failing_calls::pidfd_open(pid_t pid) noexcept {
  return fails() ? -EMFILE : system_calls::pidfd_open(pid);
}

int failing_calls::socketpair(int type, std::span<int, 2> ends) noexcept {
  return fails() ? -EMFILE : system_calls::socketpair(type, ends);
}

int failing_calls::pipe(std::span<int, 2> ends) noexcept {
  return fails() ? -EMFILE : system_calls::pipe(ends);
}

ssize_t failing_calls::recv(int fd, void* to, std::size_t bytes, int flags) noexcept {
  return fails() ? -ECONNRESET : system_calls::recv(fd, to, bytes, flags);
}

ssize_t failing_calls::sendmsg(int fd, msghdr const& message, int flags) noexcept {
  return fails() ? -EPIPE : system_calls::sendmsg(fd, message, flags);
}

ssize_t failing_calls::recvmsg(int fd, msghdr& message, int flags) noexcept {
  return fails() ? -ECONNRESET : system_calls::recvmsg(fd, message, flags);
}

int failing_calls::create_sealed_memory(char const* name, std::size_t bytes) noexcept {
  return fails() ? -ENFILE : system_calls::create_sealed_memory(name, bytes);
}

int failing_calls::map_memory(int fd, std::size_t bytes, void*& at) noexcept {
  return fails() ? -ENOMEM : system_calls::map_memory(fd, bytes, at);
}

}  // namespace plait::test
