#pragma once

#include <string>

#include "method/report.hpp"
#include "output/format.hpp"

namespace plait::lab {

// The lines above the tables: tool, machine, driver, seed, warnings.
std::string render_header(bench_report const& report, look const& style);
// One table per workload, then the verdict and the line that repeats the run.
std::string render_tables(bench_report const& report, look const& style);

}  // namespace plait::lab
