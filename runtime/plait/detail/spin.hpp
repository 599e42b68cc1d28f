// Looking for something for a bounded time before going to sleep for it.
#pragma once

#include <chrono>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace plait::detail {

inline void spin_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// How long it pays to look: grows where looking was rewarded, shrinks where it was not, so that
// whoever waits for something rare soon sleeps at once, nearly.
class spin_budget {
  using clock = std::chrono::steady_clock;

 public:
  template <class Condition>
  bool until(Condition const& there) {
    if (there()) return true;
    auto const give_up = clock::now() + budget_;
    do {
      for (int i = 0; i < 32; ++i) {
        spin_pause();
        if (there()) {
          budget_ = budget_ * 2 < longest ? budget_ * 2 : longest;
          return true;
        }
      }
    } while (clock::now() < give_up);
    budget_ = budget_ / 2 > shortest ? budget_ / 2 : shortest;
    return false;
  }

 private:
  // The longest is about what it costs to wake a sleeping thread: by the usual argument for such
  // limits, never worse than twice the best choice in hindsight.
  static constexpr clock::duration longest = std::chrono::microseconds(20);
  static constexpr clock::duration shortest = std::chrono::microseconds(1);
  clock::duration budget_ = longest;
};

}  // namespace plait::detail
