#include "method/stats.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "method/rng.hpp"

namespace plait::lab {

namespace {

double sorted_quantile(std::span<double const> sorted, double q) {
  if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
  double const at = q * static_cast<double>(sorted.size() - 1);
  auto const below = static_cast<std::size_t>(at);
  std::size_t const above = std::min(below + 1, sorted.size() - 1);
  double const part = at - static_cast<double>(below);
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

std::vector<double> sorted_copy(std::span<double const> values) {
  std::vector<double> copy(values.begin(), values.end());
  std::sort(copy.begin(), copy.end());
  return copy;
}

// Ranks doubled, so that the midrank of a tie is an integer. `ties` gets the sum of t^3 - t.
std::vector<int> doubled_midranks(std::vector<double> const& pooled, double& ties) {
  std::vector<std::size_t> order(pooled.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t x, std::size_t y) { return pooled[x] < pooled[y]; });
  std::vector<int> rank(pooled.size());
  ties = 0;
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i + 1;
    while (end < order.size() && pooled[order[end]] == pooled[order[i]]) ++end;
    for (std::size_t k = i; k < end; ++k) rank[order[k]] = static_cast<int>(i + 1 + end);
    auto const t = static_cast<double>(end - i);
    ties += t * t * t - t;
    i = end;
  }
  return rank;
}

// Counts, for every sum, the subsets of `picked` ranks that have it; then adds up those at least
// as far from the expected sum as the observed one.
double exact_p(std::vector<int> const& rank, std::size_t picked) {
  auto const total = static_cast<std::size_t>(std::accumulate(rank.begin(), rank.end(), 0));
  std::vector<std::vector<double>> ways(picked + 1, std::vector<double>(total + 1, 0.0));
  ways[0][0] = 1;
  for (std::size_t i = 0; i < rank.size(); ++i) {
    auto const r = static_cast<std::size_t>(rank[i]);
    for (std::size_t k = std::min(picked, i + 1); k >= 1; --k)
      for (std::size_t sum = total; sum >= r; --sum) ways[k][sum] += ways[k - 1][sum - r];
  }
  auto const observed = std::accumulate(rank.begin(), rank.begin() + static_cast<long>(picked), 0L);
  double const expected =
      static_cast<double>(total) * static_cast<double>(picked) / static_cast<double>(rank.size());
  double const distance = std::abs(static_cast<double>(observed) - expected) - 1e-9;
  double all = 0;
  double far = 0;
  for (std::size_t sum = 0; sum <= total; ++sum) {
    all += ways[picked][sum];
    if (std::abs(static_cast<double>(sum) - expected) >= distance) far += ways[picked][sum];
  }
  return std::min(1.0, far / all);
}

double normal_p(std::vector<int> const& rank, std::size_t n1, std::size_t n2, double ties) {
  double const a = static_cast<double>(n1);
  double const b = static_cast<double>(n2);
  double const n = a + b;
  double const doubled = std::accumulate(rank.begin(), rank.begin() + static_cast<long>(n1), 0.0);
  double const u = doubled / 2 - a * (a + 1) / 2;
  double const variance = a * b / 12 * (n + 1 - ties / (n * (n - 1)));
  if (variance <= 0) return 1;
  double const z = std::max(0.0, std::abs(u - a * b / 2) - 0.5) / std::sqrt(variance);
  return std::erfc(z / std::sqrt(2.0));
}

}  // namespace

double quantile(std::span<double const> values, double q) {
  return sorted_quantile(sorted_copy(values), q);
}

double median(std::span<double const> values) { return quantile(values, 0.5); }

interval bootstrap_median(std::span<double const> values, std::uint64_t seed, std::size_t resamples,
                          double confidence) {
  if (values.size() < 2) return {median(values), median(values)};
  rng random(seed);
  std::vector<double> sample(values.size());
  std::vector<double> medians(resamples);
  for (double& result : medians) {
    for (double& value : sample) value = values[random.below(values.size())];
    result = median(sample);
  }
  std::sort(medians.begin(), medians.end());
  double const tail = (1 - confidence) / 2;
  return {sorted_quantile(medians, tail), sorted_quantile(medians, 1 - tail)};
}

outlier_count tukey_outliers(std::span<double const> values) {
  outlier_count found;
  if (values.size() < 4) return found;
  auto const sorted = sorted_copy(values);
  double const q1 = sorted_quantile(sorted, 0.25);
  double const q3 = sorted_quantile(sorted, 0.75);
  double const range = q3 - q1;
  for (double const v : sorted) {
    double const beyond = std::max(q1 - v, v - q3);
    if (beyond > 3 * range) {
      ++found.severe;
    } else if (beyond > 1.5 * range) {
      ++found.mild;
    }
  }
  return found;
}

double mann_whitney_p(std::span<double const> a, std::span<double const> b,
                      std::size_t exact_sizes) {
  if (a.empty() || b.empty()) return 1;
  std::vector<double> pooled(a.begin(), a.end());
  pooled.insert(pooled.end(), b.begin(), b.end());
  double ties = 0;
  auto const rank = doubled_midranks(pooled, ties);
  return pooled.size() <= exact_sizes ? exact_p(rank, a.size())
                                      : normal_p(rank, a.size(), b.size(), ties);
}

std::vector<double> holm(std::span<double const> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) { return p[x] < p[y]; });
  std::vector<double> adjusted(p.size());
  double worst = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    worst = std::max(worst, std::min(1.0, static_cast<double>(p.size() - i) * p[order[i]]));
    adjusted[order[i]] = worst;
  }
  return adjusted;
}

double smallest_p(int n) {
  double choose = 1;  // 2n over n
  for (int i = 1; i <= n; ++i) choose = choose * (n + i) / i;
  return std::min(1.0, 2 / choose);
}

int repetitions_needed(int comparisons, double alpha) {
  int n = 1;
  while (smallest_p(n) * std::max(1, comparisons) > alpha) ++n;
  return n;
}

}  // namespace plait::lab
