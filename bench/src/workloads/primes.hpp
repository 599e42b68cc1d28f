#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "method/cell.hpp"

namespace plait::lab {

// One job of CPU work: counts the primes of a range by trial division. About a millisecond.
inline constexpr std::uint32_t primes_from = 1'000'000;
inline constexpr std::uint32_t primes_per_job = 12'000;
int count_primes(std::uint32_t from, std::uint32_t count);
// Job i of a batch.
int primes_job(std::uint32_t i);

// What the jobs of a batch have to answer, by a sieve: another way to the same numbers.
class primes_key {
 public:
  explicit primes_key(long jobs);
  long jobs() const { return static_cast<long>(answers_.size()); }
  // Throws where an answer is wrong.
  void check(std::span<int const> answers) const;

 private:
  std::vector<int> answers_;
};

}  // namespace plait::lab
