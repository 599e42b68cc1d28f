// The system calls of one process of a simulated world: the world's, for the descriptors that are the
// process's own. When it is killed these are closed, and every call fails from then on.
#pragma once

#include "sim_world.hpp"

#include <plait/system_calls.hpp>

#include <set>

namespace plait::io::sim {

class process_calls final : public system_calls {
 public:
  explicit process_calls(world& in) noexcept : world_(in) {}

  // In the order of their numbers, as a kernel does.
  void close_all() noexcept;
  void die() noexcept;

  bool is_open(int fd) noexcept override { return own_.count(fd) != 0; }
  int close(int fd) noexcept override;
  int socket(int family, int type) noexcept override;
  int bind(int fd, sockaddr const* at, socklen_t size) noexcept override;
  int listen(int fd, int backlog) noexcept override;
  int accept(int fd) noexcept override;
  int connect(int fd, sockaddr const* to, socklen_t size) noexcept override;
  int shutdown(int fd, int how) noexcept override;
  ssize_t recv(int fd, void* to, std::size_t bytes, int flags) noexcept override;
  ssize_t send(int fd, void const* from, std::size_t bytes, int flags) noexcept override;
  ssize_t sendmsg(int fd, msghdr const& message, int flags) noexcept override;
  ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept override;
  int setsockopt(int fd, int level, int name, void const* value, socklen_t size) noexcept override;
  int getsockopt(int fd, int level, int name, void* value, socklen_t& size) noexcept override;
  int getsockname(int fd, sockaddr* into, socklen_t& size) noexcept override;
  int getpeername(int fd, sockaddr* into, socklen_t& size) noexcept override;
  int socketpair(int type, std::span<int, 2> ends) noexcept override;
  int pipe(std::span<int, 2> ends) noexcept override;
  ssize_t read(int fd, void* to, std::size_t bytes) noexcept override;
  ssize_t write(int fd, void const* from, std::size_t bytes) noexcept override;
  int set_nonblocking(int fd, bool wanted) noexcept override;
  int open(char const* path, int flags, mode_t permissions) noexcept override;
  ssize_t pread(int fd, void* to, std::size_t bytes, std::uint64_t offset) noexcept override;
  ssize_t pread_cached(int fd, void* to, std::size_t bytes, std::uint64_t offset) noexcept override;
  ssize_t pwrite(int fd, void const* from, std::size_t bytes, std::uint64_t offset) noexcept override;
  ssize_t append(int fd, void const* from, std::size_t bytes) noexcept override;
  int fstat(int fd, struct stat& into) noexcept override;
  int statx(int fd, char const* path, int flags, unsigned mask, struct statx& into) noexcept override;
  int fsync(int fd) noexcept override;
  int fdatasync(int fd) noexcept override { return fsync(fd); }
  int ftruncate(int fd, std::uint64_t bytes) noexcept override;
  int rename(char const* from, char const* to, unsigned flags) noexcept override;
  int unlink(char const* path) noexcept override;
  int rmdir(char const* path) noexcept override;
  int mkdir(char const* path, mode_t permissions) noexcept override;
  ssize_t getdents(int fd, void* into, std::size_t bytes) noexcept override;
  int chmod(char const* path, mode_t mode) noexcept override;
  int fchmod(int fd, mode_t mode) noexcept override;
  int flock(int fd, int how) noexcept override;

  // Not in this world.
  int open_signals(sigset_t const& wanted) noexcept override;
  int change_held_signals(int how, sigset_t const& set, sigset_t* before) noexcept override;
  int create_thread(pthread_t& made, void* (*body)(void*), void* argument) noexcept override;
  int spawn_self(pid_t& made, char* const argv[], char* const environment[],
                 int given) noexcept override;
  pid_t fork() noexcept override;
  int pidfd_open(pid_t pid) noexcept override;
  int pidfd_send_signal(int pidfd, int signal) noexcept override;
  int wait_child(pid_t pid, siginfo_t& info, int options) noexcept override;
  int create_sealed_memory(char const* name, std::size_t bytes) noexcept override;
  int map_memory(int fd, std::size_t bytes, void*& at) noexcept override;
  int unmap_memory(void* at, std::size_t bytes) noexcept override;

 private:
  int own(int fd);
  void own_pair(int answer, std::span<int, 2> ends);
  template <class Call>
  auto on(int fd, Call const& call) noexcept;
  template <class Call>
  int unless_dead(Call const& call) noexcept;

  world& world_;
  std::set<int> own_;
  bool dead_ = false;
};

}  // namespace plait::io::sim
