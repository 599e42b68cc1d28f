#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "method/cell.hpp"
#include "method/limits.hpp"

namespace plait::lab {

struct planned_cell {
  lab::cell cell;
  std::optional<limit_hit> limit;  // what of the machine forbids it: then it is not run
};

// The matrix that the options ask for, table order. Throws usage_error for names that do not exist
// or do not fit together, and lists those that do.
std::vector<planned_cell> make_plan(bench_options const& options, machine_limits const& limits,
                                    int cpus);

// All (cell, repetition) pairs of the cells that run, shuffled by the seed: whatever the machine
// does meanwhile hits every model alike.
struct turn {
  std::size_t cell;
  int repetition;
  bool operator==(turn const&) const = default;
};
std::vector<turn> make_order(std::vector<planned_cell> const& plan, int repetitions,
                             std::uint64_t seed);

// About how long a turn takes, in seconds.
double estimate(cell const& c);

// "io.sleepers", ... and the groups, for messages.
std::string known_workloads();

}  // namespace plait::lab
