// System calls of which one fails, or all from one on, and a driver that makes them.
#pragma once

#include <plait/driver.hpp>
#include <plait/system_calls.hpp>

#include <memory>

namespace plait::test {

class failing_calls final : public system_calls {
 public:
  // The one after `good` good ones fails; all after it too, if so asked.
  explicit failing_calls(int good, bool then_all = false) : good_(good), then_all_(then_all) {}
  bool has_failed() const noexcept { return failed_; }

  int spawn_self(pid_t& made, char* const argv[], char* const environment[], int given) noexcept override;
  int pidfd_open(pid_t pid) noexcept override;
  int socketpair(int type, std::span<int, 2> ends) noexcept override;
  int pipe(std::span<int, 2> ends) noexcept override;
  ssize_t recv(int fd, void* to, std::size_t bytes, int flags) noexcept override;
  ssize_t sendmsg(int fd, msghdr const& message, int flags) noexcept override;
  ssize_t recvmsg(int fd, msghdr& message, int flags) noexcept override;
  int create_sealed_memory(char const* name, std::size_t bytes) noexcept override;
  int map_memory(int fd, std::size_t bytes, void*& at) noexcept override;

 private:
  bool fails() noexcept;

  int good_;
  bool then_all_;
  bool failed_ = false;
};

class driver_with_calls final : public driver {
 public:
  driver_with_calls(std::unique_ptr<driver> over, system_calls& calls)
      : inner_(std::move(over)), calls_(calls) {}

  std::string_view name() const noexcept override { return inner_->name(); }
  time_point now() noexcept override { return inner_->now(); }
  std::uint64_t random() noexcept override { return inner_->random(); }
  void park(time_point deadline) override {
    inner_->park(deadline);
    in_flight_ = inner_->in_flight();
  }
  void wake() noexcept override { inner_->wake(); }
  void watch(fd_wait& wait) override {
    inner_->watch(wait);
    in_flight_ = inner_->in_flight();
  }
  void unwatch(fd_wait& wait) noexcept override {
    inner_->unwatch(wait);
    in_flight_ = inner_->in_flight();
  }
  system_calls& sys() noexcept override { return calls_; }

 private:
  std::unique_ptr<driver> inner_;
  system_calls& calls_;
};

}  // namespace plait::test
