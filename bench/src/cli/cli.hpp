#pragma once

#include <string>
#include <vector>

#include "cli/options.hpp"

namespace plait::lab {

// The program `plait`. Exit status: 0 done, 1 error or a cell that failed, 2 usage, 130
// interrupted.
int main_of_lab(int argc, char** argv);

// What `plait bench ARGUMENTS` asks for; no arguments at all mean --quick. Throws usage_error.
bench_options parse_bench(std::vector<std::string> const& arguments);

// The arguments that repeat a run: those given, with the seed.
std::vector<std::string> repeat_command(std::vector<std::string> const& arguments,
                                        std::uint64_t seed);

}  // namespace plait::lab
