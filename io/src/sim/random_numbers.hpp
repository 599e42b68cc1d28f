// Where a simulated world takes each of its decisions from: a seed, or bytes that somebody gives, a
// fuzzer for one. What chance would decide otherwise is decided by the bytes while they last; after
// them every number is 0 and every chance is missed: the first of a queue, the shortest delay, no fault.
#pragma once

#include <plait/clock.hpp>
#include <plait/testing/sim.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace plait::io::sim {

class random_numbers {
 public:
  explicit random_numbers(testing::sim_options const& options) noexcept
      : state_(options.seed), from_bytes_(options.bytes.has_value()) {
    if (from_bytes_) bytes_ = *options.bytes;
  }

  std::uint64_t next() noexcept;
  // Less than `bound`; 0 where that is 0.
  std::uint64_t below(std::uint64_t bound) noexcept;
  bool chance(double p) noexcept;
  duration between(duration low, duration high) noexcept;
  // What decides between two things at one time.
  std::uint64_t tie() noexcept { return from_bytes_ ? take(1) : next(); }

 private:
  std::uint64_t take(int count) noexcept;

  std::uint64_t state_;
  bool from_bytes_;
  std::span<std::byte const> bytes_;
};

}  // namespace plait::io::sim
