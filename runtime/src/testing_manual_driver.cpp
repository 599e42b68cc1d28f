#include <plait/testing/manual_driver.hpp>

#include <plait/detail/splitmix64.hpp>

#include <algorithm>
#include <chrono>

namespace plait::testing {
namespace {

constexpr std::chrono::seconds wake_up_patience{20};

}  // namespace

std::uint64_t manual_driver::random() noexcept { return detail::splitmix64(random_state_); }

void manual_driver::park(time_point deadline) {
  if (deadline <= now_) {
    ++looks_;
    return;
  }
  ++sleeps_;
  std::unique_lock lock(mutex_);
  if (!woken_ && deadline != no_deadline) {
    now_ = deadline;
    return;
  }
  bool const woken = wake_up_.wait_for(lock, wake_up_patience, [this] { return woken_; });
  PLAIT_CHECK(woken || waits_.empty(), "a test waits for a descriptor that it has not finished");
  PLAIT_CHECK(woken,
              "a test waits for something that does not come: every task is suspended, no "
              "timer is armed, and no other thread has woken the scheduler");
  woken_ = false;
}

void manual_driver::wake() noexcept {
  wakes_.fetch_add(1, std::memory_order_relaxed);
  std::lock_guard const lock(mutex_);
  woken_ = true;
  wake_up_.notify_one();
}

void manual_driver::watch(fd_wait& wait) {
  waits_.push_back(&wait);
  ++in_flight_;
}

void manual_driver::unwatch(fd_wait& wait) noexcept { finish(wait, -ECANCELED); }

void manual_driver::finish(fd_wait& wait, int answer) {
  auto const at = std::find(waits_.begin(), waits_.end(), &wait);
  if (at == waits_.end()) return;
  waits_.erase(at);
  --in_flight_;
  wait.finish_request(answer, 0);
}

void manual_scheduler::run_until_quiet() {
  run_until_idle();
  for (;;) {
    time_point const next = scheduler_.timers().next_deadline();
    if (next == no_deadline) return;
    advance(next - driver_.now());
  }
}

void manual_scheduler::close() {
  scheduler_binding const bound(scheduler_);
  scheduler_.close_background();
}

}  // namespace plait::testing
