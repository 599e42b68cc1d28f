// The clock that plait's timers run on. On a scheduler's thread it is the scheduler's driver that
// tells the time, so a test's manual clock moves everything; on other threads it is the kernel's
// monotonic clock.
#pragma once

#include <chrono>

namespace plait {

struct clock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<clock>;
  static constexpr bool is_steady = true;

  static time_point now() noexcept;
};

using duration = clock::duration;
using time_point = clock::time_point;

inline constexpr time_point no_deadline = time_point::max();

// Saturates: a huge timeout means never, not the past.
constexpr time_point deadline_after(time_point from, duration d) noexcept {
  if (d <= duration::zero()) return from;
  return d > no_deadline - from ? no_deadline : from + d;
}

}  // namespace plait
