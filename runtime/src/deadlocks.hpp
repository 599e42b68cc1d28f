// The end of a deadlock, for the scheduler; what a user calls is in plait/deadlock.hpp.
#pragma once

namespace plait {
class scheduler;
}

namespace plait::detail {

struct task_state;

// Where every task but `except` waits for other tasks alone: reports it, and ends the waits that can be
// ended with deadlock_error. True where it reported.
bool end_deadlock(scheduler& s, task_state const* except) noexcept;

}  // namespace plait::detail
