// Sweeps over many scenarios: none may be broken, and CI reads how many runs there were.
#pragma once

#include "support/count.hpp"

#include <plait/testing/sweep.hpp>

#include <catch2/catch.hpp>

#include <vector>

namespace plait::test {

// Prints the runs of what `each` does with every scenario, and gives them.
template <class Each>
long count_runs(char const* what, std::vector<testing::scenario> const& all, Each const& each) {
  long runs = 0;
  for (testing::scenario const& s : all) {
    testing::sweep_result const result = each(s);
    CHECK(result.broken == "");
    runs += result.runs;
  }
  count(what, runs);
  return runs;
}

}  // namespace plait::test
