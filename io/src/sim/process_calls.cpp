#include "process_calls.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <utility>

namespace plait::io::sim {

void process_calls::close_all() noexcept {
  for (int const fd : std::exchange(own_, {})) world_.close(fd);
}

void process_calls::die() noexcept {
  dead_ = true;
  close_all();
}

// A new descriptor, or an error.
int process_calls::own(int fd) {
  if (fd >= 0) own_.insert(fd);
  return fd;
}

void process_calls::own_pair(int answer, std::span<int, 2> ends) {
  if (answer == 0) own_.insert({ends[0], ends[1]});
}

template <class Call>
auto process_calls::on(int fd, Call const& call) noexcept {
  using answer = decltype(call());
  return own_.count(fd) != 0 ? call() : static_cast<answer>(-EBADF);
}

template <class Call>
int process_calls::unless_dead(Call const& call) noexcept {
  return dead_ ? -ECANCELED : call();
}

int process_calls::close(int fd) noexcept { return own_.erase(fd) != 0 ? world_.close(fd) : -EBADF; }

int process_calls::socket(int family, int type) noexcept {
  return unless_dead([&] { return own(world_.socket(family, type)); });
}

int process_calls::accept(int fd) noexcept {
  return on(fd, [&] { return own(world_.accept(fd)); });
}

int process_calls::open(char const* path, int flags, mode_t permissions) noexcept {
  return unless_dead([&] { return own(world_.open(path, flags, permissions)); });
}

int process_calls::socketpair(int type, std::span<int, 2> ends) noexcept {
  int const answer = unless_dead([&] { return world_.socketpair(type, ends); });
  own_pair(answer, ends);
  return answer;
}

int process_calls::pipe(std::span<int, 2> ends) noexcept {
  int const answer = unless_dead([&] { return world_.pipe(ends); });
  own_pair(answer, ends);
  return answer;
}

// The descriptors that a message brings are the process's.
ssize_t process_calls::recvmsg(int fd, msghdr& message, int flags) noexcept {
  ssize_t const answer = on(fd, [&] { return world_.recvmsg(fd, message, flags); });
  if (answer < 0 || message.msg_controllen == 0) return answer;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int given = -1;
      std::memcpy(&given, CMSG_DATA(c) + at, sizeof given);
      own(given);
    }
  }
  return answer;
}

int process_calls::statx(int fd, char const* path, int flags, unsigned mask,
                         struct statx& into) noexcept {
  auto const call = [&] { return world_.statx(fd, path, flags, mask, into); };
  return *path == '\0' && (flags & AT_EMPTY_PATH) != 0 ? on(fd, call) : unless_dead(call);
}

int process_calls::bind(int fd, sockaddr const* at, socklen_t size) noexcept {
  return on(fd, [&] { return world_.bind(fd, at, size); });
}

int process_calls::listen(int fd, int backlog) noexcept {
  return on(fd, [&] { return world_.listen(fd, backlog); });
}

int process_calls::connect(int fd, sockaddr const* to, socklen_t size) noexcept {
  return on(fd, [&] { return world_.connect(fd, to, size); });
}

int process_calls::shutdown(int fd, int how) noexcept {
  return on(fd, [&] { return world_.shutdown(fd, how); });
}

ssize_t process_calls::recv(int fd, void* to, std::size_t bytes, int flags) noexcept {
  return on(fd, [&] { return world_.recv(fd, to, bytes, flags); });
}

ssize_t process_calls::send(int fd, void const* from, std::size_t bytes, int flags) noexcept {
  return on(fd, [&] { return world_.send(fd, from, bytes, flags); });
}

ssize_t process_calls::sendmsg(int fd, msghdr const& message, int flags) noexcept {
  return on(fd, [&] { return world_.sendmsg(fd, message, flags); });
}

int process_calls::setsockopt(int fd, int level, int name, void const* value, socklen_t size) noexcept {
  return on(fd, [&] { return world_.setsockopt(fd, level, name, value, size); });
}

int process_calls::getsockopt(int fd, int level, int name, void* value, socklen_t& size) noexcept {
  return on(fd, [&] { return world_.getsockopt(fd, level, name, value, size); });
}

int process_calls::getsockname(int fd, sockaddr* into, socklen_t& size) noexcept {
  return on(fd, [&] { return world_.getsockname(fd, into, size); });
}

int process_calls::getpeername(int fd, sockaddr* into, socklen_t& size) noexcept {
  return on(fd, [&] { return world_.getpeername(fd, into, size); });
}

ssize_t process_calls::read(int fd, void* to, std::size_t bytes) noexcept {
  return on(fd, [&] { return world_.read(fd, to, bytes); });
}

ssize_t process_calls::write(int fd, void const* from, std::size_t bytes) noexcept {
  return on(fd, [&] { return world_.write(fd, from, bytes); });
}

int process_calls::set_nonblocking(int fd, bool wanted) noexcept {
  return on(fd, [&] { return world_.set_nonblocking(fd, wanted); });
}

ssize_t process_calls::pread(int fd, void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  return on(fd, [&] { return world_.pread(fd, to, bytes, offset); });
}

ssize_t process_calls::pread_cached(int fd, void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  return on(fd, [&] { return world_.pread_cached(fd, to, bytes, offset); });
}

ssize_t process_calls::pwrite(int fd, void const* from, std::size_t bytes, std::uint64_t offset) noexcept {
  return on(fd, [&] { return world_.pwrite(fd, from, bytes, offset); });
}

ssize_t process_calls::append(int fd, void const* from, std::size_t bytes) noexcept {
  return on(fd, [&] { return world_.append(fd, from, bytes); });
}

int process_calls::fstat(int fd, struct stat& into) noexcept {
  return on(fd, [&] { return world_.fstat(fd, into); });
}

int process_calls::fsync(int fd) noexcept {
  return on(fd, [&] { return world_.fsync(fd); });
}

int process_calls::ftruncate(int fd, std::uint64_t bytes) noexcept {
  return on(fd, [&] { return world_.ftruncate(fd, bytes); });
}

ssize_t process_calls::getdents(int fd, void* into, std::size_t bytes) noexcept {
  return on(fd, [&] { return world_.getdents(fd, into, bytes); });
}

int process_calls::fchmod(int fd, mode_t mode) noexcept {
  return on(fd, [&] { return world_.fchmod(fd, mode); });
}

int process_calls::flock(int fd, int how) noexcept {
  return on(fd, [&] { return world_.flock(fd, how); });
}

int process_calls::rename(char const* from, char const* to, unsigned flags) noexcept {
  return unless_dead([&] { return world_.rename(from, to, flags); });
}

int process_calls::unlink(char const* path) noexcept {
  return unless_dead([&] { return world_.unlink(path); });
}

int process_calls::rmdir(char const* path) noexcept {
  return unless_dead([&] { return world_.rmdir(path); });
}

int process_calls::mkdir(char const* path, mode_t permissions) noexcept {
  return unless_dead([&] { return world_.mkdir(path, permissions); });
}

int process_calls::chmod(char const* path, mode_t mode) noexcept {
  return unless_dead([&] { return world_.chmod(path, mode); });
}

int process_calls::open_signals(sigset_t const&) noexcept { return -ENOSYS; }
int process_calls::change_held_signals(int, sigset_t const&, sigset_t*) noexcept { return -ENOSYS; }
int process_calls::create_thread(pthread_t&, void* (*)(void*), void*) noexcept { return -ENOSYS; }
int process_calls::spawn_self(pid_t&, char* const[], char* const[], int) noexcept { return -ENOSYS; }
pid_t process_calls::fork() noexcept { return -ENOSYS; }
int process_calls::pidfd_open(pid_t) noexcept { return -ENOSYS; }
int process_calls::pidfd_send_signal(int, int) noexcept { return -ENOSYS; }
int process_calls::wait_child(pid_t, siginfo_t&, int) noexcept { return -ENOSYS; }
int process_calls::create_sealed_memory(char const*, std::size_t) noexcept { return -ENOSYS; }
int process_calls::map_memory(int, std::size_t, void*&) noexcept { return -ENOSYS; }
int process_calls::unmap_memory(void*, std::size_t) noexcept { return -ENOSYS; }

}  // namespace plait::io::sim
