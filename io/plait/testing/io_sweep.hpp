// The sweeps of testing/sweep.hpp for scenarios with I/O: in simulation, where each run of a scenario
// is the same up to what goes wrong; and one more sweep, in which each operation that is handed to the
// driver fails in its turn.
//
//     scenario const s = in_simulation({.name = "echo", .body = echo_once});
//     for (await_action const a : all_await_actions) CHECK(for_each_await(s, a).broken == "");
//     CHECK(for_each_driver_call(s, std::errc::connection_reset).broken == "");
//
// The simulated kernel needs memory itself, so that for_each_allocation is for scenarios outside of it
// (a stream_pair on the manual scheduler); in simulation for_each_frame takes its place. After a run no
// descriptor of the world may be open.
#pragma once

#include <plait/testing/sim.hpp>
#include <plait/testing/sweep.hpp>

#include <system_error>

namespace plait::testing {

scenario in_simulation(scenario s, sim_options options = {});

// As testing/fail_nth.hpp counts them. A run may end with any std::runtime_error but sim_stuck: where a
// write fails, it may be the reader's end_of_file that comes out, or the timeout of who got no answer.
// So let a scenario throw a std::logic_error where it finds something wrong itself.
sweep_result for_each_driver_call(scenario const& s, std::errc error);

// The scenario is a simulated process (testing/sim_process.hpp), which is killed at its first, its second
// ... await, until a run has fewer. Nothing may be left in the world then, and the scenario's check is told
// that it was cancelled. The scenario's own world is not used.
sweep_result for_each_kill(scenario const& s, sim_options options = {});

}  // namespace plait::testing
