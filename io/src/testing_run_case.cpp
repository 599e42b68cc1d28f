#include <plait/testing/run_case.hpp>

#include <plait/run.hpp>
#include <plait/testing/ledger.hpp>
#include <plait/testing/sim.hpp>

#include <cstdlib>

namespace plait::testing {
namespace {

// What the body throws is thrown, and what it has left behind then is no news.
template <class Run>
void without_leaks(Run const& run_it) {
  ledger_guard ledger;
  run_it();
  if (std::string const left = ledger.differences(); !left.empty()) {
    throw leak_found("the test case left something behind:\n" + left);
  }
}

}  // namespace

void run_case(task<> (*body)()) {
  without_leaks([body] { run(body); });
}

void run_sim_case(task<> (*body)(), std::uint64_t seed) {
  without_leaks([body, seed] { run_sim(body, {.seed = seed}); });
}

std::vector<std::uint64_t> seeds_to_run(std::uint64_t count) {
  std::vector<std::uint64_t> seeds;
  if (char const* const only = std::getenv("PLAIT_SEED")) {
    seeds.push_back(std::strtoull(only, nullptr, 0));
    return seeds;
  }
  for (std::uint64_t seed = 1; seed <= count; ++seed) seeds.push_back(seed);
  return seeds;
}

}  // namespace plait::testing
