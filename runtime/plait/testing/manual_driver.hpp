// A driver without a kernel, for tests of what runs on a scheduler: its clock stands still until
// the test moves it, and a wait for a descriptor ends when the test says so.
#pragma once

#include <plait/driver.hpp>
#include <plait/run.hpp>
#include <plait/scheduler.hpp>
#include <plait/system_calls.hpp>
#include <plait/task_group.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace plait::testing {

class manual_driver final : public driver {
 public:
  explicit manual_driver(std::uint64_t seed = 1) noexcept : random_state_(seed) {}

  std::string_view name() const noexcept override { return "manual"; }
  time_point now() noexcept override { return now_; }
  std::uint64_t random() noexcept override;
  // With nothing ready before the deadline the clock jumps to it. With no deadline it sleeps until
  // another thread wakes it, and aborts with a message when that takes more than 20 real seconds.
  void park(time_point deadline) override;
  void wake() noexcept override;
  void watch(fd_wait& wait) override;
  void unwatch(fd_wait& wait) noexcept override;
  system_calls& sys() noexcept override { return system_calls::real(); }

  void advance(duration d) noexcept { now_ += d; }
  std::vector<fd_wait*> const& waits() const noexcept { return waits_; }
  void finish(fd_wait& wait, int answer);

  // How often it was asked to sleep, to look, and to wake up.
  long sleeps() const noexcept { return sleeps_; }
  long looks() const noexcept { return looks_; }
  long wakes() const noexcept { return wakes_.load(std::memory_order_relaxed); }

 private:
  time_point now_{std::chrono::seconds(1000)};
  std::uint64_t random_state_;
  std::vector<fd_wait*> waits_;
  long sleeps_ = 0;
  long looks_ = 0;
  std::atomic<long> wakes_{0};
  std::mutex mutex_;
  std::condition_variable wake_up_;
  bool woken_ = false;  // under mutex_
};

// A scheduler over a manual driver. It cancels what a test has left running, and waits for it.
class manual_scheduler {
 public:
  explicit manual_scheduler(std::uint64_t seed = 1) : driver_(seed), scheduler_(driver_) {}
  ~manual_scheduler() { close(); }
  manual_scheduler(manual_scheduler const&) = delete;
  manual_scheduler& operator=(manual_scheduler const&) = delete;

  manual_driver& io() noexcept { return driver_; }
  scheduler& sched() noexcept { return scheduler_; }

  // Runs fn(args...) to its end and gives its value or rethrows its exception.
  template <class Fn, class... Args>
  auto run(Fn&& fn, Args&&... args) {
    return run_on(scheduler_, std::invoke(std::forward<Fn>(fn), std::forward<Args>(args)...));
  }

  // Spawns fn(args...) as a background task; nothing runs yet. Its failure is the handle's, or the
  // error hook's.
  template <class Fn, class... Args>
  auto start(Fn&& fn, Args&&... args) {
    scheduler_binding const bound(scheduler_);
    return scheduler_.background().spawn(std::forward<Fn>(fn), std::forward<Args>(args)...);
  }

  // Calls fn() as if on the scheduler's thread: for cancelling and completing between two turns.
  template <class Fn>
  decltype(auto) on_thread(Fn&& fn) {
    scheduler_binding const bound(scheduler_);
    return std::forward<Fn>(fn)();
  }

  void run_until_idle() { scheduler_.run_until_idle(); }

  // Moves the clock and runs what has become due.
  void advance(duration d) {
    driver_.advance(d);
    scheduler_.run_until_idle();
  }

  // Moves the clock from deadline to deadline until no timer is left; what waits for something else
  // stays.
  void run_until_quiet();

  // Cancels the background tasks and waits for them.
  void close();

 private:
  manual_driver driver_;
  scheduler scheduler_;
};

}  // namespace plait::testing
