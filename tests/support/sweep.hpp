#pragma once

#include <plait/cancel.hpp>
#include <plait/task.hpp>
#include <plait/testing/manual_driver.hpp>

#include <functional>
#include <string>

namespace plait::test {

// Where in an await the sweep cancels.
enum class cancel_at {
  the_await,       // just before it: the await throws at once
  the_suspension,  // in the turn after it began: the operation is taken back, or had completed
};

struct sweep_result {
  int runs = 0;        // with a cancellation in them
  std::string broken;  // what was left behind, or what `check` threw; empty if nothing
};

// Runs a scenario again and again, cancelling it at the first, the second, the third ... cancel
// point that any of its tasks reaches, until a run ends without having reached that many. Each run
// has a scheduler of its own, and after each the ledger is compared; then `after` may throw what is
// wrong.
sweep_result sweep(
    cancel_at where, std::function<task<>()> const& scenario,
    std::function<void()> const& after = [] {});

// The sweep in both ways. CHECK(broken == "") and CHECK(runs > ...).
sweep_result sweep_both(
    std::function<task<>()> const& scenario, std::function<void()> const& after = [] {});

}  // namespace plait::test
