// One test case whose body is a coroutine, for glue to a test framework; testing/catch.hpp has that to
// Catch2. Throws what the body throws, or leak_found.
#pragma once

#include <plait/task.hpp>

#include <cstdint>
#include <stdexcept>
#include <vector>

namespace plait::testing {

// A test case has left something behind; `what()` has a line for each thing.
class leak_found : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// On the driver of make_driver. Afterwards nothing may be left: frames and operations (where
// PLAIT_ASSERTIONS is on), descriptors, threads, child processes, zombies among them.
void run_case(task<> (*body)());

// The same in simulation.
void run_sim_case(task<> (*body)(), std::uint64_t seed);

// From 1 to count; or PLAIT_SEED of the environment alone.
std::vector<std::uint64_t> seeds_to_run(std::uint64_t count);

}  // namespace plait::testing
