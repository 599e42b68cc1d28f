#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace plait::lab {

// Latencies in nanoseconds in logarithmic buckets: 64 linear steps for each power of two, so a
// value is off by less than 1.6 %. Histograms of several repetitions are merged before any
// percentile is taken: percentiles cannot be averaged. Not synchronised.
class histogram {
 public:
  void add(std::uint64_t nanoseconds, std::uint64_t times = 1);
  void merge(histogram const& other);

  std::uint64_t count() const { return count_; }
  std::uint64_t max_ns() const { return max_; }
  double mean_ns() const;

  // Nothing unless at least `beyond` values lie past the percentile: a p99 of 200 values would be
  // the story of two of them. 0 < q < 1.
  std::optional<double> percentile_ns(double q, std::uint64_t beyond = 10) const;

  // (bucket, count) of the buckets in use, ascending; restore() is the inverse.
  std::vector<std::pair<unsigned, std::uint64_t>> buckets() const;
  static histogram restore(std::vector<std::pair<unsigned, std::uint64_t>> const& buckets,
                           std::uint64_t max_ns, double sum_ns);
  double sum_ns() const { return sum_; }

  static unsigned bucket_of(std::uint64_t nanoseconds);
  static double middle_of(unsigned bucket);

 private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace plait::lab
