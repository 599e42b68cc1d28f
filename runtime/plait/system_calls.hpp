// The table of system calls that sockets, files, pools and IPC make. Only the kernel's drivers and an
// implementation of this table call the kernel, so that a test can put failures or another world in
// its place.
//
// Functions are named like the kernel's and answer like it: a result, or a negative errno. Every
// descriptor that they make closes on exec.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace plait {

class system_calls {
 public:
  system_calls() = default;
  system_calls(system_calls const&) = delete;
  system_calls& operator=(system_calls const&) = delete;
  virtual ~system_calls();

  // The kernel's own; one for the process, usable from any thread.
  static system_calls& real() noexcept;

  virtual bool is_open(int fd) noexcept;
  virtual int close(int fd) noexcept;

  // Sockets. None raises SIGPIPE.
  virtual int socket(int family, int type) noexcept;
  virtual int bind(int fd, sockaddr const* at, socklen_t size) noexcept;
  virtual int listen(int fd, int backlog) noexcept;
  virtual int accept(int fd) noexcept;
  virtual int connect(int fd, sockaddr const* to, socklen_t size) noexcept;
  virtual int shutdown(int fd, int how) noexcept;
  virtual ssize_t recv(int fd, void* to, std::size_t bytes, int flags) noexcept;
  virtual ssize_t send(int fd, void const* from, std::size_t bytes, int flags) noexcept;
  virtual ssize_t sendmsg(int fd, msghdr const& message, int flags) noexcept;
  virtual ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept;
  virtual int setsockopt(int fd, int level, int name, void const* value, socklen_t size) noexcept;
  virtual int getsockopt(int fd, int level, int name, void* value, socklen_t& size) noexcept;
  virtual int getsockname(int fd, sockaddr* into, socklen_t& size) noexcept;
  virtual int getpeername(int fd, sockaddr* into, socklen_t& size) noexcept;
  virtual int socketpair(int type, std::span<int, 2> ends) noexcept;
  virtual int pipe(std::span<int, 2> ends) noexcept;

  // Pipes, and what else has no position. Writing to a pipe that nobody reads raises no signal.
  virtual ssize_t read(int fd, void* to, std::size_t bytes) noexcept;
  virtual ssize_t write(int fd, void const* from, std::size_t bytes) noexcept;
  // Gives what it was: 0 or 1.
  virtual int set_nonblocking(int fd, bool wanted) noexcept;

  // Signals: a descriptor that does not block and gives one signalfd_siginfo for each signal of the set
  // that is held back from this thread; and which these are, for this thread, as pthread_sigmask has it.
  virtual int open_signals(sigset_t const& wanted) noexcept;
  virtual int change_held_signals(int how, sigset_t const& set, sigset_t* before) noexcept;

  // Files.
  virtual int open(char const* path, int flags, mode_t permissions) noexcept;
  virtual ssize_t pread(int fd, void* to, std::size_t bytes, std::uint64_t offset) noexcept;
  // Only what needs no waiting: -EAGAIN for the rest, and where the kernel cannot tell.
  virtual ssize_t pread_cached(int fd, void* to, std::size_t bytes, std::uint64_t offset) noexcept;
  virtual ssize_t pwrite(int fd, void const* from, std::size_t bytes, std::uint64_t offset) noexcept;
  virtual ssize_t append(int fd, void const* from, std::size_t bytes) noexcept;  // wherever its end is
  virtual int fstat(int fd, struct stat& into) noexcept;
  // An empty path with AT_EMPTY_PATH is `fd` itself.
  virtual int statx(int fd, char const* path, int flags, unsigned mask, struct statx& into) noexcept;
  virtual int fsync(int fd) noexcept;
  virtual int fdatasync(int fd) noexcept;
  virtual int ftruncate(int fd, std::uint64_t bytes) noexcept;
  virtual int rename(char const* from, char const* to, unsigned flags) noexcept;  // renameat2's
  virtual int unlink(char const* path) noexcept;
  virtual int chmod(char const* path, mode_t mode) noexcept;
  // Of a socket: the mode of the file that it is bound to later.
  virtual int fchmod(int fd, mode_t mode) noexcept;
  virtual int flock(int fd, int how) noexcept;
  virtual int rmdir(char const* path) noexcept;
  virtual int mkdir(char const* path, mode_t permissions) noexcept;
  // The next entries of an open directory, as getdents64(2) packs them (struct dirent64): their bytes,
  // 0 behind the last one.
  virtual ssize_t getdents(int fd, void* into, std::size_t bytes) noexcept;

  virtual int create_thread(pthread_t& made, void* (*body)(void*), void* argument) noexcept;

  // Runs this program again with `argv` and `environment`. The child has the descriptors 0 to 2 and,
  // as number 3, `given`; no other. All signals have their default action and none is blocked.
  virtual int spawn_self(pid_t& made, char* const argv[], char* const environment[],
                         int given) noexcept;
  virtual pid_t fork() noexcept;
  virtual int pidfd_open(pid_t pid) noexcept;
  virtual int pidfd_send_signal(int pidfd, int signal) noexcept;
  // For a child of this process that nobody has waited for; options as waitid's.
  virtual int wait_child(pid_t pid, siginfo_t& info, int options) noexcept;

  // Anonymous memory that a descriptor stands for, of a size that is sealed.
  virtual int create_sealed_memory(char const* name, std::size_t bytes) noexcept;
  // Shared, for reading and writing.
  virtual int map_memory(int fd, std::size_t bytes, void*& at) noexcept;
  virtual int unmap_memory(void* at, std::size_t bytes) noexcept;
};

}  // namespace plait
