// A driver without a kernel, for tests of what runs on a scheduler: its clock stands still until the
// test moves it, and a wait for a descriptor ends when the test says so.
#pragma once

#include <plait/driver.hpp>
#include <plait/scheduler.hpp>
#include <plait/system_calls.hpp>

#include <atomic>
#include <cstdint>
#include <vector>

namespace plait::testing {

class manual_driver final : public driver {
 public:
  explicit manual_driver(std::uint64_t seed = 1) noexcept : random_state_(seed) {}

  std::string_view name() const noexcept override { return "manual"; }
  time_point now() noexcept override { return now_; }
  std::uint64_t random() noexcept override;
  // With nothing ready before the deadline the clock jumps to it. Parking with no deadline, nothing
  // to wake and nothing in flight would hang: it aborts and says so.
  void park(time_point deadline) override;
  void wake() noexcept override { woken_.store(true, std::memory_order_release); }
  void watch(fd_wait& wait) override;
  void unwatch(fd_wait& wait) noexcept override;
  system_calls& sys() noexcept override { return system_calls::real(); }

  void advance(duration d) noexcept { now_ += d; }
  std::vector<fd_wait*> const& waits() const noexcept { return waits_; }
  void finish(fd_wait& wait, int answer);

 private:
  time_point now_{std::chrono::seconds(1000)};
  std::uint64_t random_state_;
  std::atomic<bool> woken_{false};
  std::vector<fd_wait*> waits_;
};

// A scheduler over a manual driver.
class manual_scheduler {
 public:
  manual_scheduler() : scheduler_(driver_) {}

  manual_driver& io() noexcept { return driver_; }
  scheduler& sched() noexcept { return scheduler_; }
  void run_until_idle() { scheduler_.run_until_idle(); }
  // Moves the clock and runs what has become due.
  void advance(duration d) {
    driver_.advance(d);
    scheduler_.run_until_idle();
  }

 private:
  manual_driver driver_;
  scheduler scheduler_;
};

}  // namespace plait::testing
