#pragma once

#include <cstdint>
#include <ctime>
#include <vector>

namespace plait::lab::micro {

// One operation measured in a tight loop, on this thread: nanoseconds (or, for memory, bytes) for
// each.
struct bench {
  char const* name;
  double (*run)();
};

// The floor: a hand-written runtime without cancellation, exceptions, tracking or safety.
std::vector<bench> raw_benches();
std::vector<bench> plait_benches();
std::vector<bench> raw_sync_benches();
std::vector<bench> plait_sync_benches();

// Sizes that both sides share.
inline constexpr long await_count = 10'000'000;
inline constexpr long spawn_count = 2'000'000;
inline constexpr long yield_count = 10'000'000;
inline constexpr long timer_count = 5'000'000;
inline constexpr long other_timers = 10'000;
inline constexpr long parked_count = 500'000;
inline constexpr long lock_count = 10'000'000;
inline constexpr long contenders = 1'000;
inline constexpr long handover_count = 5'000'000;
inline constexpr long item_count = 10'000'000;
inline constexpr int fib_of = 27;
inline constexpr double fib_calls = 832'039;  // of fib(27), itself included
inline constexpr int fib_value = 196'418;

inline std::uint64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(t.tv_nsec);
}

// CPU time of this thread: what else runs on the machine does not count.
class stopwatch {
 public:
  double per(double operations) const { return static_cast<double>(now() - began_) / operations; }

 private:
  static std::uint64_t now() {
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(t.tv_nsec);
  }

  std::uint64_t began_ = now();
};

double resident_bytes();
// Ends the program where an answer is wrong.
void require(bool right, char const* what);

template <class T>
void keep(T const& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

// Deadlines far in the future, a pseudo-random way apart.
class deadlines {
 public:
  std::uint64_t next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return 3'600'000'000'000u + (state_ >> 33);
  }

 private:
  std::uint64_t state_ = 1;
};

}  // namespace plait::lab::micro
