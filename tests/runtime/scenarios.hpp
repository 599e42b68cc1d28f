// What every sweep runs over: one table of scenarios, to which each part of the runtime adds its own.
#pragma once

#include <plait/testing/sweep.hpp>

#include <vector>

namespace plait::test {

// No counted object (support/operations.hpp) may be left after a run of any of them.
std::vector<testing::scenario> scenarios();

// Those that another thread takes part in: on a manual clock a deadline around them may pass while
// the thread is at work.
std::vector<testing::scenario> thread_scenarios();

// A scenario within something else: one for each surrounding, in a group, under a timeout ...
std::vector<testing::scenario> surrounded(testing::scenario const& inner);

// The parts of the table.
void add_task_scenarios(std::vector<testing::scenario>& to);
void add_scope_scenarios(std::vector<testing::scenario>& to);
void add_group_scenarios(std::vector<testing::scenario>& to);
void add_race_scenarios(std::vector<testing::scenario>& to);
void add_channel_scenarios(std::vector<testing::scenario>& to);
void add_sync_scenarios(std::vector<testing::scenario>& to);

// What the scenarios throw themselves. Allocates nothing.
struct own_error {};

task<> nap(int ms);
task<int> value_after_ms(int ms, int value);

// For a check: throws std::runtime_error(what) unless it holds.
void require(bool holds, char const* what);

}  // namespace plait::test
