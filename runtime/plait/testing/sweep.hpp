// Sweeps: a scenario is run again and again on a manual scheduler, and each run goes wrong in
// another place. They find what random tests miss, since every place has its turn; after SQLite's
// and Seastar's loops over the n-th allocation.
//
//     scenario const s{.name = "transfer", .body = transfer_all, .check = nothing_is_lost};
//     for (await_action const a : all_await_actions) CHECK(for_each_await(s, a).broken == "");
//     CHECK(for_each_allocation(s).broken == "");
//
// A scenario with I/O names another world to run in: testing/io_sweep.hpp.
//
// After each run
//   * nothing is left: no frame, operation or byte (where PLAIT_ASSERTIONS is on), no armed timer,
//     no wait for a descriptor, no scope that counts as cancelled;
//   * what was thrown into the scenario came out of it, went to scheduler::on_unhandled, or was
//     handled by a scenario that says so;
//   * the scenario's own check holds.
// A run that does not end stops the program with a message that names it.
//
// PLAIT_SWEEP in the environment: `print` names each run before it is made (for crashes);
// `name/action/n`, as the messages have it, makes that run alone.
#pragma once

#include <plait/scheduler.hpp>
#include <plait/task.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace plait::testing {

// What the sweep throws out of an await.
class injected_error : public std::runtime_error {
 public:
  injected_error() : std::runtime_error("an error that the sweep has put there") {}
};

// What a scenario's check is told about the run.
struct run_report {
  enum class end { completed, cancelled, failed };

  end how = end::completed;
  bool no_memory = false;  // an allocation of this run has failed
};

// Where a scenario runs: a scheduler, made anew for each run.
class sweep_world {
 public:
  virtual ~sweep_world() = default;
  virtual scheduler& sched() = 0;
  // Runs the task to its end, gives its value or rethrows its exception.
  virtual bool run(std::function<task<bool>()> const& whole) = 0;
  // A deadline in the next nanosecond passes soon.
  virtual void pass_time() = 0;
  // After a run: what is left in the world, or empty.
  virtual std::string left() = 0;
};

struct scenario {
  std::string name;
  // Completes when nothing goes wrong, and reaches the same awaits each time.
  std::function<task<>()> body;
  // Throws what is wrong after a run, and resets what the scenario has changed. May be empty.
  std::function<void(run_report const&)> check = nullptr;
  // It may complete although an exception was thrown into it.
  bool handles_errors = false;
  // A manual scheduler where it is empty.
  std::function<std::unique_ptr<sweep_world>()> world = nullptr;
  // False where threads or processes decide how many awaits there are.
  bool same_awaits = true;
};

// What happens at the await.
enum class await_action {
  cancel,            // the scope around the scenario is cancelled just before: the await throws
  cancel_suspended,  // it is cancelled in the turn after: the operation is taken back, or completes
  timeout,           // the deadline around the scenario passes in the turn after
  exception,         // the await throws injected_error
  bad_alloc,         // the await throws std::bad_alloc
};
inline constexpr await_action all_await_actions[] = {
    await_action::cancel, await_action::cancel_suspended, await_action::timeout,
    await_action::exception, await_action::bad_alloc};
std::string_view name_of(await_action action) noexcept;

struct sweep_result {
  long runs = 0;  // in which something went wrong
  std::string broken;  // the run that ended the sweep, what does not hold, how to repeat it; or empty
};

// Once to count the awaits of operations that can be cancelled (of whichever task), then once for
// each of them with the action at that one.
sweep_result for_each_await(scenario const& s, await_action action);

// The first, the second, the third ... allocation fails, from the making of the scheduler on, until
// a run has fewer. testing/allocation_fault.hpp says which are counted.
sweep_result for_each_allocation(scenario const& s);

// The same for coroutine frames and spawned tasks alone, for a world that cannot do without memory.
sweep_result for_each_frame(scenario const& s);

// Something else that goes wrong the n-th time, from its making to its end.
class sweep_fault {
 public:
  virtual ~sweep_fault() = default;
  virtual bool happened() const noexcept = 0;
  // Whether a run in which it happened may end with this exception.
  virtual bool explains(std::exception_ptr const& came_out) const = 0;
};

// The first, the second, the third ... goes wrong, until a run has fewer. `name` is for messages.
sweep_result for_each_fault(scenario const& s, std::string_view name,
                            std::function<std::unique_ptr<sweep_fault>(long n)> const& make);

}  // namespace plait::testing
