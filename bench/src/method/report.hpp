#pragma once

#include <optional>
#include <string>
#include <vector>

#include "method/environment.hpp"
#include "method/plan.hpp"
#include "method/stats.hpp"

namespace plait::lab {

// A cell with what its repetitions found. The summary is empty (no value) where nothing ran.
struct cell_result {
  lab::cell cell;
  std::optional<limit_hit> limit;
  std::string error;  // the first failure; the cell then has no summary
  std::vector<rep_result> reps;

  std::vector<double> values() const;

  struct summary {
    double median = 0;
    interval ci95;
    outlier_count outliers;
    double cpu_per_op_s = 0;  // medians over the repetitions, as below
    double switches_per_op = 0;
    double cpus_busy = 0;  // CPU seconds per second of wall clock
    double drift = 0;
    std::optional<unit_memory> memory;
    histogram latency;          // of all repetitions
    double half_width() const;  // of the interval, relative to the median
  };
  std::optional<lab::cell_result::summary> summarise(std::uint64_t seed) const;
  std::optional<lab::cell_result::summary> sum;  // once the run is over
};

struct warning {
  std::string id;    // stable: "W-VM"
  std::string text;  // what is so, and what to do about it
};

struct bench_report {
  environment env;
  std::vector<std::string> command;  // that repeats it, seed included
  std::uint64_t seed = 0;
  int repetitions = 0;
  std::vector<warning> warnings;
  std::vector<cell_result> cells;
  std::vector<std::string> verdict;
  bool interrupted = false;

  bool failed() const;  // some cell has an error
};

}  // namespace plait::lab
