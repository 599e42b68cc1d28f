#pragma once

#include <plait/detail/splitmix64.hpp>

#include <cstdint>
#include <utility>
#include <vector>

namespace plait::lab {

// The lab's random numbers. Seeded, and the same on every standard library, so that a recorded seed
// repeats a run's order and its confidence intervals.
class rng {
 public:
  explicit rng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() { return detail::splitmix64(state_); }

  // Uniform in [0, bound); bound must not be 0. Lemire's multiplication, without the rejection
  // step: its bias is below bound / 2^64.
  std::uint64_t below(std::uint64_t bound) {
    __extension__ using wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<wide>(next()) * bound) >> 64);
  }

  // Fisher-Yates.
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::uint64_t state_;
};

}  // namespace plait::lab
