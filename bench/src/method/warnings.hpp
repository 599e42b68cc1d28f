#pragma once

#include <vector>

#include "method/report.hpp"

namespace plait::lab {

// What of the machine, the build and the run makes the figures less than they look. The ids are
// stable; bench/README.md explains each.
std::vector<warning> machine_warnings(environment const& env);
// After the run: of the figures themselves.
std::vector<warning> run_warnings(bench_report const& report);

}  // namespace plait::lab
