// The kernel of a simulated world: sockets and files that exist in memory only, behind the table of
// system calls. One thread, no blocking call: what cannot be done now answers -EAGAIN. What the world
// does by itself (segments that arrive, connections that are made) happens by events in virtual time,
// whose delays and order come from one seed.
#pragma once

#include <plait/clock.hpp>
#include <plait/detail/splitmix64.hpp>
#include <plait/system_calls.hpp>
#include <plait/testing/sim.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <sys/socket.h>

namespace plait::io::sim {

class random_numbers {
 public:
  explicit random_numbers(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept { return plait::detail::splitmix64(state_); }
  std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }
  bool chance(double p) noexcept { return static_cast<double>(next() >> 11) * 0x1p-53 < p; }
  duration between(duration low, duration high) noexcept {
    return low + duration(static_cast<duration::rep>(
                     below(static_cast<std::uint64_t>((high - low).count()) + 1)));
  }

 private:
  std::uint64_t state_;
};

// FNV-1a over all that happens: the same seed gives the same value.
class trace_hash {
 public:
  void add(std::uint64_t value) noexcept {
    for (int i = 0; i < 8; ++i) {
      value_ = (value_ ^ (value & 0xff)) * 0x100000001b3;
      value >>= 8;
    }
  }
  std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

// What will happen, in the order of time; at one time in random order.
class agenda {
 public:
  explicit agenda(random_numbers& random) noexcept : random_(random) {}

  time_point now() const noexcept { return now_; }
  void after(duration d, std::function<void()> what);
  // One after the other: never before what the same line has brought already.
  void after(duration d, time_point& line, std::function<void()> what);
  time_point next() const noexcept;  // no_deadline: nothing
  void move_to(time_point t) noexcept { now_ = t > now_ ? t : now_; }
  // Does what is due now, and tells how much that was.
  std::size_t run_due();

 private:
  struct key {
    time_point at;
    std::uint64_t tie;
    std::uint64_t number;
    auto operator<=>(key const&) const = default;
  };

  random_numbers& random_;
  time_point now_{std::chrono::seconds(1000)};
  std::uint64_t number_ = 0;
  std::map<key, std::function<void()>> events_;
};

class world final : public system_calls {
 public:
  // No number of a kernel's descriptor: where one of these reaches the kernel, it is refused there.
  static constexpr int first_fd = 1 << 24;

  world(testing::sim_options const& options, random_numbers& random, agenda& plan);

  // Called when what can be done with a descriptor may have changed.
  std::function<void(int fd)> on_change;

  // poll(2)'s events that are there now.
  short ready(int fd) noexcept;
  std::size_t open_descriptors() const noexcept { return table_.size(); }

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
  int fstat(int fd, struct stat& into) noexcept override;

  // Not in this world yet.
  ssize_t sendmsg(int, msghdr const&, int) noexcept override;
  ssize_t recvmsg(int, msghdr&, int) noexcept override;
  int socketpair(int, std::span<int, 2>) noexcept override;
  int pipe(std::span<int, 2>) noexcept override;
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
  struct file_content;
  struct object;
  using object_ptr = std::shared_ptr<object>;

  int enter(object_ptr o);
  object* find(int fd) noexcept;
  object_ptr listener_at(sockaddr_storage const& to) noexcept;
  duration latency() noexcept;
  std::size_t some(std::size_t most) noexcept;
  void changed(object const& o) const;
  void arrive_at_listener(object_ptr const& client);
  void finish_sending(object& o);
  void send_reset(object& o);

  testing::sim_options options_;
  random_numbers& random_;
  agenda& plan_;
  std::map<int, object_ptr> table_;
  std::map<std::string, std::shared_ptr<file_content>> files_;
  std::uint16_t next_port_ = 40000;
};

}  // namespace plait::io::sim
