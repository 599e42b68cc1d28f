#include <plait/system_calls.hpp>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace plait {

namespace {

template <class T>
T or_errno(T answer) noexcept {
  return answer < 0 ? static_cast<T>(-errno) : answer;
}

constexpr int without_signal = 0x100;  // RWF_NOSIGNAL, which libc's headers do not know yet

// The signal is held back, and taken out again unless somebody else's was waiting already.
ssize_t write_with_signal_held(int fd, void const* from, std::size_t bytes) {
  sigset_t pending;
  sigset_t before;
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
  auto const n = ::write(fd, from, bytes);
  int const error = errno;
  if (n < 0 && error == EPIPE && sigismember(&pending, SIGPIPE) == 0) {
    timespec const at_once{};
    while (sigtimedwait(&broken_pipe, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return n;
}

ssize_t write_quietly(int fd, void const* from, std::size_t bytes) {
  static std::atomic<bool> kernel_can{true};
  if (kernel_can.load(std::memory_order_relaxed)) {  // whoever misses the change asks once more
    iovec const v{const_cast<void*>(from), bytes};
    auto const n = ::pwritev2(fd, &v, 1, -1, without_signal);
    if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) return n;
    kernel_can.store(false, std::memory_order_relaxed);
  }
  return write_with_signal_held(fd, from, bytes);
}

}  // namespace

system_calls::~system_calls() = default;

system_calls& system_calls::real() noexcept {
  static system_calls calls;
  return calls;
}

bool system_calls::is_open(int fd) noexcept { return ::fcntl(fd, F_GETFD) >= 0; }

int system_calls::socket(int family, int type) noexcept {
  return or_errno(::socket(family, type | SOCK_CLOEXEC, 0));
}

int system_calls::bind(int fd, sockaddr const* at, socklen_t size) noexcept {
  return or_errno(::bind(fd, at, size));
}

int system_calls::listen(int fd, int backlog) noexcept { return or_errno(::listen(fd, backlog)); }

int system_calls::accept(int fd) noexcept {
  return or_errno(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
}

int system_calls::connect(int fd, sockaddr const* to, socklen_t size) noexcept {
  return or_errno(::connect(fd, to, size));
}

int system_calls::setsockopt(int fd, int level, int name, void const* value,
                             socklen_t size) noexcept {
  return or_errno(::setsockopt(fd, level, name, value, size));
}

int system_calls::getsockopt(int fd, int level, int name, void* value, socklen_t& size) noexcept {
  return or_errno(::getsockopt(fd, level, name, value, &size));
}

int system_calls::getsockname(int fd, sockaddr* into, socklen_t& size) noexcept {
  return or_errno(::getsockname(fd, into, &size));
}

int system_calls::getpeername(int fd, sockaddr* into, socklen_t& size) noexcept {
  return or_errno(::getpeername(fd, into, &size));
}

ssize_t system_calls::read(int fd, void* to, std::size_t bytes) noexcept {
  return or_errno(::read(fd, to, bytes));
}

ssize_t system_calls::write(int fd, void const* from, std::size_t bytes) noexcept {
  return or_errno(write_quietly(fd, from, bytes));
}

int system_calls::set_nonblocking(int fd, bool wanted) noexcept {
  int const flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  int const changed = wanted ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (changed != flags && ::fcntl(fd, F_SETFL, changed) < 0) return -errno;
  return (flags & O_NONBLOCK) != 0 ? 1 : 0;
}

int system_calls::open_signals(sigset_t const& wanted) noexcept {
  return or_errno(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
}

int system_calls::change_held_signals(int how, sigset_t const& set, sigset_t* before) noexcept {
  return -::pthread_sigmask(how, &set, before);
}

int system_calls::open(char const* path, int flags, mode_t permissions) noexcept {
  return or_errno(::openat(AT_FDCWD, path, flags | O_CLOEXEC, permissions));
}

ssize_t system_calls::pread(int fd, void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  return or_errno(::pread(fd, to, bytes, static_cast<off_t>(offset)));
}

ssize_t system_calls::pread_cached(int fd, void* to, std::size_t bytes,
                                   std::uint64_t offset) noexcept {
  iovec v{to, bytes};
  ssize_t const answer = or_errno(::preadv2(fd, &v, 1, static_cast<off_t>(offset), RWF_NOWAIT));
  return answer == -EOPNOTSUPP || answer == -ENOSYS ? -EAGAIN : answer;
}

ssize_t system_calls::pwrite(int fd, void const* from, std::size_t bytes,
                             std::uint64_t offset) noexcept {
  return or_errno(::pwrite(fd, from, bytes, static_cast<off_t>(offset)));
}

ssize_t system_calls::append(int fd, void const* from, std::size_t bytes) noexcept {
  iovec const v{const_cast<void*>(from), bytes};
  return or_errno(::pwritev2(fd, &v, 1, 0, RWF_APPEND));
}

int system_calls::fstat(int fd, struct stat& into) noexcept { return or_errno(::fstat(fd, &into)); }

int system_calls::statx(int fd, char const* path, int flags, unsigned mask,
                        struct statx& into) noexcept {
  return or_errno(::statx(fd, path, flags, mask, &into));
}

int system_calls::fsync(int fd) noexcept { return or_errno(::fsync(fd)); }

int system_calls::fdatasync(int fd) noexcept { return or_errno(::fdatasync(fd)); }

int system_calls::ftruncate(int fd, std::uint64_t bytes) noexcept {
  return or_errno(::ftruncate(fd, static_cast<off_t>(bytes)));
}

int system_calls::rename(char const* from, char const* to, unsigned flags) noexcept {
  return or_errno(::renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
}

int system_calls::unlink(char const* path) noexcept { return or_errno(::unlink(path)); }

int system_calls::chmod(char const* path, mode_t mode) noexcept {
  return or_errno(::chmod(path, mode));
}

int system_calls::fchmod(int fd, mode_t mode) noexcept { return or_errno(::fchmod(fd, mode)); }

int system_calls::flock(int fd, int how) noexcept {
  int answer;
  do {
    answer = or_errno(::flock(fd, how));
  } while (answer == -EINTR);
  return answer;
}

int system_calls::rmdir(char const* path) noexcept { return or_errno(::rmdir(path)); }

int system_calls::mkdir(char const* path, mode_t permissions) noexcept {
  return or_errno(::mkdir(path, permissions));
}

ssize_t system_calls::getdents(int fd, void* into, std::size_t bytes) noexcept {
  return or_errno(::getdents64(fd, into, bytes));
}

int system_calls::create_thread(pthread_t& made, void* (*body)(void*), void* argument) noexcept {
  return -::pthread_create(&made, nullptr, body, argument);
}

int system_calls::spawn_self(pid_t& made, char* const argv[], char* const environment[],
                             int given) noexcept {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  int error = ::posix_spawnattr_init(&attributes);
  if (error != 0) return -error;
  error = ::posix_spawn_file_actions_init(&actions);
  if (error == 0) {
    sigset_t all;
    sigset_t none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    error = ::posix_spawn_file_actions_adddup2(&actions, given, 3);
    if (error == 0) error = ::posix_spawn_file_actions_addclosefrom_np(&actions, 4);
    // The image that runs now, also where the file has been replaced meanwhile.
    if (error == 0) {
      error = ::posix_spawn(&made, "/proc/self/exe", &actions, &attributes, argv, environment);
    }
    ::posix_spawn_file_actions_destroy(&actions);
  }
  ::posix_spawnattr_destroy(&attributes);
  return -error;
}

pid_t system_calls::fork() noexcept { return or_errno(::fork()); }

// By number: glibc 2.36 declares these two in a header that C++ cannot use.
int system_calls::pidfd_open(pid_t pid) noexcept {
  return or_errno(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

int system_calls::pidfd_send_signal(int pidfd, int signal) noexcept {
  return or_errno(static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0)));
}

int system_calls::wait_child(pid_t pid, siginfo_t& info, int options) noexcept {
  int answer;
  do {
    answer = or_errno(::waitid(P_PID, static_cast<id_t>(pid), &info, options));
  } while (answer == -EINTR);
  return answer;
}

int system_calls::socketpair(int type, std::span<int, 2> ends) noexcept {
  return or_errno(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()));
}

int system_calls::pipe(std::span<int, 2> ends) noexcept {
  return or_errno(::pipe2(ends.data(), O_CLOEXEC));
}

// Never again after EINTR: Linux has freed the descriptor by then.
int system_calls::close(int fd) noexcept { return or_errno(::close(fd)); }

int system_calls::shutdown(int fd, int how) noexcept { return or_errno(::shutdown(fd, how)); }

ssize_t system_calls::recv(int fd, void* to, std::size_t bytes, int flags) noexcept {
  ssize_t answer;
  do {
    answer = or_errno(::recv(fd, to, bytes, flags));
  } while (answer == -EINTR);
  return answer;
}

ssize_t system_calls::send(int fd, void const* from, std::size_t bytes, int flags) noexcept {
  ssize_t answer;
  do {
    answer = or_errno(::send(fd, from, bytes, flags | MSG_NOSIGNAL));
  } while (answer == -EINTR);
  return answer;
}

ssize_t system_calls::sendmsg(int fd, msghdr const& message, int flags) noexcept {
  ssize_t answer;
  do {
    answer = or_errno(::sendmsg(fd, &message, flags | MSG_NOSIGNAL));
  } while (answer == -EINTR);
  return answer;
}

ssize_t system_calls::recvmsg(int fd, msghdr& message, int flags) noexcept {
  ssize_t answer;
  do {
    answer = or_errno(::recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC));
  } while (answer == -EINTR);
  return answer;
}

int system_calls::create_sealed_memory(char const* name, std::size_t bytes) noexcept {
  int const fd = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -errno;
  if (::ftruncate(fd, static_cast<off_t>(bytes)) == 0 &&
      ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
    return fd;
  }
  int const error = errno;
  ::close(fd);
  return -error;
}

int system_calls::map_memory(int fd, std::size_t bytes, void*& at) noexcept {
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return -errno;
  at = mapped;
  return 0;
}

int system_calls::unmap_memory(void* at, std::size_t bytes) noexcept {
  return or_errno(::munmap(at, bytes));
}

}  // namespace plait
