// The table of system calls that pools and IPC make. Only drivers and an implementation of this
// table call the kernel, so that a test can put failures or another world in its place.
//
// Functions are named like the kernel's and answer like it: a result, or a negative errno. Every
// descriptor that they make closes on exec.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
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

  virtual int socketpair(int type, std::span<int, 2> ends) noexcept;
  virtual int pipe(std::span<int, 2> ends) noexcept;
  virtual int close(int fd) noexcept;
  virtual int shutdown(int fd, int how) noexcept;
  virtual ssize_t recv(int fd, void* to, std::size_t bytes, int flags) noexcept;
  virtual ssize_t sendmsg(int fd, msghdr const& message, int flags) noexcept;
  virtual ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept;

  // Anonymous memory that a descriptor stands for, of a size that is sealed.
  virtual int create_sealed_memory(char const* name, std::size_t bytes) noexcept;
  // Shared, for reading and writing.
  virtual int map_memory(int fd, std::size_t bytes, void*& at) noexcept;
  virtual int unmap_memory(void* at, std::size_t bytes) noexcept;
};

}  // namespace plait
