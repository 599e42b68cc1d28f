// The kernel of a simulated world, behind the table of system calls: the table of descriptors, and the
// name spaces (ports, files) in which its sockets and files find each other. One thread, no blocking
// call: what cannot be done now answers -EAGAIN. What the world does by itself (segments that arrive,
// connections that are made) happens by events in virtual time, whose delays and order come from one
// seed.
#pragma once

#include "agenda.hpp"
#include "network.hpp"
#include "open_file.hpp"
#include "sim_files.hpp"
#include "sim_socket.hpp"
#include "sim_unix.hpp"

#include <plait/system_calls.hpp>
#include <plait/testing/sim.hpp>

#include <functional>
#include <map>

namespace plait::io::sim {

class world final : public system_calls {
 public:
  // No number of a kernel's descriptor: where one of these reaches the kernel, it is refused there.
  static constexpr int first_fd = 1 << 24;

  world(testing::sim_options const& options, random_numbers& random, agenda& plan);
  ~world() override;

  // Called when what can be done with a descriptor may have changed.
  std::function<void(int fd)> on_change;

  // poll(2)'s events that are there now.
  short ready(int fd) noexcept;
  std::size_t open_descriptors() const noexcept { return table_.size(); }

  testing::sim_ledger ledger() const noexcept;

  // For its open files.
  testing::sim_options const& options() const noexcept { return options_; }
  random_numbers& random() noexcept { return random_; }
  agenda& plan() noexcept { return plan_; }
  network& net() noexcept { return network_; }
  port_space& tcp_ports() noexcept { return tcp_ports_; }
  port_space& udp_ports() noexcept { return udp_ports_; }
  unix_names& unix_sockets() noexcept { return unix_names_; }
  file_system& files() noexcept { return files_; }
  // How much of a transfer is done at once: all of it, or now and then a part.
  std::size_t some(std::size_t most) noexcept;
  std::size_t drawn_window() noexcept;
  // For what makes so many descriptors: 0, or that none are left; now and then although there are, or
  // that there is no memory.
  int exhausted(std::size_t wanted = 1) noexcept;
  open_file* find(int fd) noexcept;
  int enter(file_use of);
  bool is_full() const noexcept { return table_.size() >= options_.descriptors_max; }

  bool is_open(int fd) noexcept override { return table_.count(fd) != 0; }
  int close(int fd) noexcept override;
  int socket(int family, int type) noexcept override;
  int bind(int fd, sockaddr const* at, socklen_t size) noexcept override;
  int listen(int fd, int backlog) noexcept override;
  int accept(int fd) noexcept override;
  int connect(int fd, sockaddr const* to, socklen_t size) noexcept override;
  int shutdown(int fd, int how) noexcept override;
  ssize_t recv(int fd, void* to, std::size_t bytes, int flags) noexcept override;
  ssize_t send(int fd, void const* from, std::size_t bytes, int flags) noexcept override;
  int setsockopt(int fd, int level, int name, void const* value, socklen_t size) noexcept override;
  int getsockopt(int fd, int level, int name, void* value, socklen_t& size) noexcept override;
  int getsockname(int fd, sockaddr* into, socklen_t& size) noexcept override;
  int getpeername(int fd, sockaddr* into, socklen_t& size) noexcept override;
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

  ssize_t sendmsg(int fd, msghdr const& message, int flags) noexcept override;
  ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept override;
  ssize_t read(int fd, void* to, std::size_t bytes) noexcept override;
  ssize_t write(int fd, void const* from, std::size_t bytes) noexcept override;
  int set_nonblocking(int fd, bool wanted) noexcept override;
  int socketpair(int type, std::span<int, 2> ends) noexcept override;
  int pipe(std::span<int, 2> ends) noexcept override;

  // Not in this world.
  int open_signals(sigset_t const&) noexcept override;
  int change_held_signals(int, sigset_t const&, sigset_t*) noexcept override;
  int create_thread(pthread_t&, void* (*)(void*), void*) noexcept override;
  int spawn_self(pid_t&, char* const[], char* const[], int) noexcept override;
  pid_t fork() noexcept override;
  int pidfd_open(pid_t) noexcept override;
  int pidfd_send_signal(int, int) noexcept override;
  int wait_child(pid_t, siginfo_t&, int) noexcept override;
  int create_sealed_memory(char const*, std::size_t) noexcept override;
  int map_memory(int, std::size_t, void*&) noexcept override;
  int unmap_memory(void*, std::size_t) noexcept override;

 private:
  friend class open_file;

  int enter_pair(std::pair<open_file_ptr, open_file_ptr> ends, std::span<int, 2> into);

  testing::sim_options const options_;
  random_numbers& random_;
  agenda& plan_;
  network network_;
  port_space tcp_ports_;
  port_space udp_ports_;
  file_system files_;
  unix_names unix_names_{files_};
  std::size_t open_files_ = 0;
  std::map<int, file_use> table_;
};

}  // namespace plait::io::sim
