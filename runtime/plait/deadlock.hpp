// Tasks that wait for each other, found and told apart from those that only wait.
//
// A scheduler that can run nothing and to which nothing can arrive looks by itself: it reports to
// scheduler::on_deadlock, and each wait for a primitive (a lock, an event, a channel ...) throws
// deadlock_error. What follows finds a cycle among some tasks while others still run, and reports it.
//
// Who holds what: a mutex knows the task that has locked it, a join the child, a group's join its children.
// A guard that goes to another task still counts as the first one's, and where that has ended may count as
// that of a new task in its memory: release() such a guard, and its mutex is held by somebody unknown.
// Anyone may set an event, send, or release a semaphore; so that such a wait is never part of a cycle while
// another task can run. A select is stuck where each of its cases is, one for a shared_mutex where one of
// those that hold it is. One scheduler's thread.
#pragma once

#include <plait/clock.hpp>
#include <plait/scheduler.hpp>
#include <plait/task.hpp>

#include <source_location>
#include <string>
#include <vector>

namespace plait {

// A task that is stuck, in words.
struct stuck_task {
  struct wait {
    std::string what;                // mutex "accounts"
    std::string holder;              // task "transfer", or empty
    std::source_location held_at{};  // since that await
  };

  void const* task = nullptr;  // tells tasks apart, no more
  std::string name;
  std::source_location waits_at{};
  std::vector<wait> waits;  // several: cases of a select, or several that hold what it waits for
};

struct deadlock {
  std::vector<stuck_task> cycle;   // each waits for something that the next one holds
  std::vector<stuck_task> behind;  // not in the cycle, but can only go on after it

  std::string report() const;
};

// The tasks that wait for each other now. Empty where there are none.
std::vector<deadlock> find_deadlocks(scheduler& s);

// Looks again and again, and reports each deadlock once, until it is cancelled: spawn it into
// background(). Its sleep counts as something that may arrive, so where everything but itself is stuck, it
// does what the scheduler would have done.
task<> watch_for_deadlocks(duration period);

}  // namespace plait
