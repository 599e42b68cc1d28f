#include <plait/testing/manual_driver.hpp>

#include <algorithm>
#include <thread>

namespace plait::testing {

// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
std::uint64_t manual_driver::random() noexcept {
  std::uint64_t z = (random_state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void manual_driver::park(time_point deadline) {
  if (deadline <= now_ || woken_.exchange(false, std::memory_order_acquire)) return;
  if (deadline != no_deadline) {
    now_ = deadline;
    return;
  }
  PLAIT_CHECK(in_flight_ == 0, "a test waits for a descriptor that it has not finished");
  std::this_thread::yield();  // another thread is to wake the scheduler
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

}  // namespace plait::testing
