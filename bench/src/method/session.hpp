#pragma once

#include <string>
#include <vector>

#include "cli/options.hpp"
#include "method/report.hpp"

namespace plait::lab {

// Runs the plan: every turn in a process of its own, in shuffled order. Ends early, with what there
// is, when the user interrupts.
bench_report run_bench(bench_options const& options, std::vector<planned_cell> const& plan,
                       std::vector<std::string> const& command);

// The process of one repetition: does the cell and prints its result on descriptor 3. The exit
// status is 0 also for a wrong answer, which the result names.
int repetition_main(std::string const& cell_json);

// Marks the cells that need io_uring where this machine refuses it.
void mark_refused_drivers(std::vector<planned_cell>& plan);

}  // namespace plait::lab
