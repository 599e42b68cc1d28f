#include "random_numbers.hpp"

#include <plait/detail/splitmix64.hpp>

#include <algorithm>

namespace plait::io::sim {

std::uint64_t random_numbers::next() noexcept {
  return from_bytes_ ? take(8) : plait::detail::splitmix64(state_);
}

std::uint64_t random_numbers::take(int count) noexcept {
  std::uint64_t value = 0;
  for (; count > 0 && !bytes_.empty(); --count) {
    value = value << 8 | std::to_integer<std::uint64_t>(bytes_.front());
    bytes_ = bytes_.subspan(1);
  }
  return value;
}

// As few bytes as will do: a fuzzer finds its way sooner among few.
std::uint64_t random_numbers::below(std::uint64_t bound) noexcept {
  if (bound <= 1) return 0;
  if (!from_bytes_) return next() % bound;
  int count = 1;
  while (count < 8 && (bound - 1) >> (8 * count) != 0) ++count;
  return take(count) % bound;
}

// The largest values of a byte hit, so that one that is missing does not.
bool random_numbers::chance(double p) noexcept {
  if (p <= 0) return false;
  if (!from_bytes_) return static_cast<double>(next() >> 11) * 0x1p-53 < p;
  auto const hits = std::max(1.0, p * 256);
  return static_cast<double>(take(1)) >= 256 - hits;
}

duration random_numbers::between(duration low, duration high) noexcept {
  auto const span = static_cast<std::uint64_t>((high - low).count());
  if (!from_bytes_) return low + duration(static_cast<duration::rep>(next() % (span + 1)));
  return low + duration(static_cast<duration::rep>(span / 255 * take(1)));
}

}  // namespace plait::io::sim
