#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "method/report.hpp"

namespace plait::lab {

// What the table allows to be said. Two models differ only where the Mann-Whitney test says so
// after Holm's correction over every pair of the whole table (the figures are one family of
// hypotheses, CPU times per operation another), and by more than 2 %: a winner is never named
// inside the noise.
enum class difference {
  shown,
  within_noise,  // less than noise_margin apart, whatever the test says
  not_shown,
  too_few,  // no outcome of so few repetitions could have shown one
};
inline constexpr double noise_margin = 0.02;
inline constexpr double significance = 0.05;

struct comparison {
  std::size_t a = 0;  // cells of the report, the better median first
  std::size_t b = 0;
  double ratio = 1;  // how many times better, >= 1
  double p = 1;      // adjusted
  difference figure = difference::not_shown;

  double cpu_ratio = 1;  // CPU per operation of b against a
  double cpu_p = 1;
  difference cpu = difference::not_shown;
};

// All pairs of cells with the same workload and N that have a summary.
std::vector<comparison> compare_cells(bench_report const& report);

// One sentence or two for each workload and N with something to compare or to explain.
std::vector<std::string> make_verdict(bench_report const& report);

}  // namespace plait::lab
