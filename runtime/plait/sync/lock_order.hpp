// Locks that are always taken in one order cannot come to a deadlock. While it is asked for, each wrong order
// is reported the first time it is seen, also where nothing hung that time:
//
//     plait::check_lock_order(true);     // or PLAIT_LOCK_ORDER=1 in the environment
//
//     plait::mutex account("account", plait::lock_level(1));   // a task that holds a level
//     plait::mutex audit("audit", plait::lock_level(2));       // takes higher ones only
//
// Beside the levels, a graph remembers which lock was held when which was taken, by any task, with the lines;
// who closes a circle in it is reported (as absl::Mutex and the lockdep of Linux do). It covers mutex,
// recursive_mutex, shared_mutex and lock_all, the locks of which need no order among themselves. try_lock
// cannot wait, so that it is never wrong, and what it has taken does not count as held.
//
// Reports go to scheduler::on_lock_order, before the lock is waited for. What that throws comes out of the
// lock(), which then has taken nothing: see throw_lock_order_error. Where it returns, the same two locks are
// not reported again. Where nobody asks for it, it costs a lock nothing; where somebody does, each lock costs
// about a microsecond, and memory for each pair of locks.
#pragma once

#include <atomic>
#include <stdexcept>
#include <string>

namespace plait {

struct lock_level {
  constexpr lock_level() noexcept = default;  // none: the graph alone counts
  explicit constexpr lock_level(int level) noexcept : number(level), is_given(true) {}

  int number = 0;
  bool is_given = false;
};

// For this thread's scheduler, where one runs, and for those that are made from now on.
void check_lock_order(bool on) noexcept;

class lock_order_error : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

// For scheduler::on_lock_order.
[[noreturn]] void throw_lock_order_error(std::string const& report);

namespace detail {

struct task_state;

struct lock_kind {
  char const* name;
  bool (*is_held)(void const* lock, task_state const* by) noexcept;  // which may have ended
  bool (*is_awaited)(void* lock, task_state const* by) noexcept;
};

// A lock, to the checks.
struct ordered_lock {
  lock_kind const* kind;
  void* lock;
  char const* name;
  lock_level level;
};

// For a task, or what stands for it in a select, that is about to wait for a lock or to take it: reports what
// is wrong in that, and notes it.
void check_order(ordered_lock const& wanted, task_state& by);
// The two steps of that. The first remembers the order, and calls what may throw; or (for a wait that has to
// be) hands to on_unhandled what is thrown. The second remembers that the task will hold it.
enum class wrong_order : bool { may_throw, may_not_throw };
void look_at_order(ordered_lock const& wanted, task_state& by, wrong_order then);
void note_holding(ordered_lock const& wanted, task_state& by) noexcept;

// Whether any lock was ever looked at: then one that is destroyed has to be forgotten.
inline constinit std::atomic<bool> lock_order_in_use{false};
void forget_lock(void const* lock) noexcept;
inline void lock_destroyed(void const* lock) noexcept {
  // Relaxed: whoever destroys a lock knows of all who have used it.
  if (lock_order_in_use.load(std::memory_order_relaxed)) [[unlikely]] forget_lock(lock);
}

bool new_schedulers_check_lock_order() noexcept;

}  // namespace detail
}  // namespace plait
