#include "method/histogram.hpp"

#include <algorithm>
#include <bit>

namespace plait::lab {

namespace {
constexpr unsigned step_bits = 6;
constexpr std::uint64_t steps = 1u << step_bits;
}  // namespace

unsigned histogram::bucket_of(std::uint64_t nanoseconds) {
  if (nanoseconds < steps) return static_cast<unsigned>(nanoseconds);
  auto const shift = static_cast<unsigned>(std::bit_width(nanoseconds)) - 1 - step_bits;
  auto const step = static_cast<unsigned>((nanoseconds >> shift) & (steps - 1));
  return ((shift + 1) << step_bits) + step;
}

double histogram::middle_of(unsigned bucket) {
  if (bucket < steps) return bucket;
  unsigned const shift = (bucket >> step_bits) - 1;
  std::uint64_t const low = (steps + (bucket & (steps - 1))) << shift;
  return static_cast<double>(low) + static_cast<double>((1ull << shift) - 1) / 2;
}

void histogram::add(std::uint64_t nanoseconds, std::uint64_t times) {
  unsigned const bucket = bucket_of(nanoseconds);
  if (bucket >= counts_.size()) counts_.resize(bucket + 1);
  counts_[bucket] += times;
  count_ += times;
  max_ = std::max(max_, nanoseconds);
  sum_ += static_cast<double>(nanoseconds) * static_cast<double>(times);
}

void histogram::merge(histogram const& other) {
  if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
  for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

double histogram::mean_ns() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

std::optional<double> histogram::percentile_ns(double q, std::uint64_t beyond) const {
  double const total = static_cast<double>(count_);
  if (total * (1 - q) < static_cast<double>(beyond) - 1e-6 || count_ == 0) return std::nullopt;
  std::uint64_t seen = 0;
  for (unsigned b = 0; b < counts_.size(); ++b) {
    seen += counts_[b];
    if (static_cast<double>(seen) > q * total)
      return std::min(middle_of(b), static_cast<double>(max_));
  }
  return static_cast<double>(max_);
}

std::vector<std::pair<unsigned, std::uint64_t>> histogram::buckets() const {
  std::vector<std::pair<unsigned, std::uint64_t>> used;
  for (unsigned b = 0; b < counts_.size(); ++b)
    if (counts_[b] != 0) used.emplace_back(b, counts_[b]);
  return used;
}

histogram histogram::restore(std::vector<std::pair<unsigned, std::uint64_t>> const& buckets,
                             std::uint64_t max_ns, double sum_ns) {
  // The last bucket of a 64-bit value: anything past it did not come from buckets().
  constexpr unsigned most = (64 - step_bits + 1) << step_bits;
  histogram result;
  for (auto const& [bucket, count] : buckets) {
    if (bucket >= most) continue;
    if (bucket >= result.counts_.size()) result.counts_.resize(bucket + 1);
    result.counts_[bucket] += count;
    result.count_ += count;
  }
  result.max_ = max_ns;
  result.sum_ = sum_ns;
  return result;
}

}  // namespace plait::lab
