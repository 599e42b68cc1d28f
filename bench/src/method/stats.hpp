#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace plait::lab {

// The q-quantile, 0 <= q <= 1, with linear interpolation between order statistics (type 7 of
// Hyndman and Fan 1996, the default of R and NumPy). NaN for no values.
double quantile(std::span<double const> values, double q);
double median(std::span<double const> values);

struct interval {
  double low = 0;
  double high = 0;
};

// Percentile-bootstrap confidence interval of the median (Efron 1979): the same seed and values
// give the same interval. Equal to the median itself for fewer than two values.
interval bootstrap_median(std::span<double const> values, std::uint64_t seed,
                          std::size_t resamples = 10'000, double confidence = 0.95);

// Values beyond Tukey's fences: mild past 1.5 interquartile ranges from the quartiles, severe
// past 3. They are counted, never dropped. None are seen in fewer than four values.
struct outlier_count {
  int mild = 0;
  int severe = 0;
};
outlier_count tukey_outliers(std::span<double const> values);

// Two-sided p of the Mann-Whitney U test (Wilcoxon 1945, Mann and Whitney 1947). Exact up to
// `exact_sizes` values in all, ties included (the permutation distribution of the midranks);
// beyond that the normal approximation with tie and continuity correction. 1 if a side is empty.
double mann_whitney_p(std::span<double const> a, std::span<double const> b,
                      std::size_t exact_sizes = 60);

// Holm's step-down adjustment (1979): p[i] < alpha afterwards bounds the chance of any false
// positive in the whole table by alpha.
std::vector<double> holm(std::span<double const> p);

// The smallest p that the exact test can give for two samples of n different values.
double smallest_p(int n);

// How many repetitions a table of `comparisons` needs before any of them can be significant at
// `alpha` after Holm's correction.
int repetitions_needed(int comparisons, double alpha = 0.05);

}  // namespace plait::lab
