// A scheduler runs tasks on one thread, cooperatively, over one driver.
//
// One turn: resume ready tasks (a budget of them), take what other threads sent, fire due timers,
// park in the driver. On these paths there is no lock and no atomic but the look into the inbox.
// Everything belongs to the scheduler's thread; `post` alone may be called from any.
#pragma once

#include <plait/clock.hpp>
#include <plait/detail/inbox.hpp>
#include <plait/detail/spin.hpp>
#include <plait/detail/task_state.hpp>
#include <plait/detail/timer_wheel.hpp>
#include <plait/driver.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace plait {

class task_group;
namespace detail {
class live_tasks;

// What an await looks at, in one load, before it takes the short way.
struct alignas(std::uint64_t) await_attention {
  int cancelled_scopes = 0;   // live scopes that a task inside would find cancelled
  int lock_order_checks = 0;  // 1 where locks look at their order: check_lock_order

  bool needs_attention() const noexcept { return std::bit_cast<std::uint64_t>(*this) != 0; }
};
}  // namespace detail

// A call that another thread sends to a scheduler. It lives where the sender put it and must stay
// until it has run; each may be in one inbox at a time.
struct remote_call {
  using run_fn = void (*)(remote_call&) noexcept;
  explicit remote_call(run_fn what) noexcept : run(what) {}

  remote_call* next = nullptr;
  run_fn run;
};

class scheduler : public detail::await_attention {
 public:
  static constexpr int turn_budget = 64;      // resumptions before the driver and the timers are looked at
  static constexpr int inline_budget = 32;    // operations in a row that finish without suspending

  explicit scheduler(std::unique_ptr<driver> over);
  explicit scheduler(driver& over);
  ~scheduler();
  scheduler(scheduler const&) = delete;
  scheduler& operator=(scheduler const&) = delete;

  // The scheduler that runs on this thread. `current` aborts where there is none.
  static scheduler& current() noexcept;
  static scheduler* current_or_null() noexcept { return here_; }

  driver& io() noexcept { return *driver_; }
  system_calls& sys() noexcept { return driver_->sys(); }

  // The time of this turn: cheap, and behind the clock by what this turn has used so far.
  time_point turn_time() noexcept { return knows_time_ ? turn_time_ : now(); }
  // The driver's clock, read now.
  time_point now() noexcept {
    knows_time_ = true;
    return turn_time_ = driver_->now();
  }

  // What the beginning of a wait is noted in: ticks of 2^20 ns, which go round after 52 days. As old as the
  // last reading of the clock, which is once a turn while timers are armed, and after each sleep.
  std::uint32_t ticks() const noexcept {
    return static_cast<std::uint32_t>(turn_time_.time_since_epoch().count() >> 20);
  }

  // From any thread. Wakes the scheduler when it sleeps, with at most one system call per sleep.
  void post(remote_call& call) noexcept;

  // Runs until `done` is set, or (run_until_idle) until nothing is ready and nothing is due; what
  // waits for the driver or for a later time stays. Both make this the thread's scheduler meanwhile.
  void run_until(bool const& done);
  void run_until_idle();

  // For simulations, where several programs take turns on one thread: one turn, which does not sleep, of
  // the current scheduler; and when it wants another: time_point::min() at once, no_deadline not before
  // something has happened.
  void run_turn();
  time_point next_turn() noexcept;

  // The group whose tasks outlive the task that spawned them. It joins when `run` ends; failures go
  // to the error hook and leave the others alone.
  task_group& background() noexcept { return *background_; }
  void close_background();  // cancels and waits; on the bound thread

  // Where an exception goes that has no awaiter. The default prints it and what to do about it.
  std::function<void(std::exception_ptr)> on_unhandled;

  // Told, in words, of a deadlock. The default prints it. Where nothing can run and nothing can arrive any
  // more, it is called first; then the waits that only other tasks could end throw deadlock_error. Tasks and
  // events that come by a post() of one's own are not foreseen: await what announces them (a pool's job, a
  // descriptor, on()), or a sleep_forever.
  std::function<void(std::string const& report)> on_deadlock;

  // For operations and scopes.
  void make_ready(detail::resumable& leaf) noexcept {
    leaf.next_ready = nullptr;
    *last_ready_ = &leaf;
    last_ready_ = &leaf.next_ready;
  }
  void make_ready(detail::task_state& task) noexcept {
    if (task.leaf == nullptr) [[unlikely]] return task.resume(&task);
    make_ready(*task.leaf);
  }
  // An operation finished without suspending; false when it is time to suspend all the same.
  bool spend_inline() noexcept { return --inline_left_ > 0; }
  void refill_inline() noexcept { inline_left_ = inline_budget; }
  detail::timer_wheel& timers() noexcept { return timers_; }
  cancel_scope& root_scope() noexcept { return *root_scope_; }
  bool drain_inbox() noexcept;
#if PLAIT_BOUNDED_DEPTH
  bool deepen() noexcept { return --depth_left_ > 0; }
#endif

  // Answers that other threads will post soon. While there are any, the scheduler looks at its inbox for
  // some microseconds before it sleeps, which costs a thread pool's short job no wake-up.
  int expected_posts = 0;

  // Other schedulers may send tasks at any time, so that no wait is known to be hopeless.
  bool others_send_tasks = false;

  std::uint64_t select_seed = 0;  // the order in which a select looks at its cases

  // For the task tree. Also within a turn, where the task that runs is no longer in it.
  detail::resumable const* first_ready() const noexcept { return first_ready_; }

 private:
  friend class detail::live_tasks;
  friend class scheduler_binding;
  friend class scheduler_switch;
  friend class task_group;

  std::unique_ptr<task_group> new_background();
  template <class Ended>
  void turn(Ended ended);
  void run_ready();
  void reorder_ready();
  void adapt_budget(duration turn) noexcept;
  void sleep();
  bool ends_deadlock() noexcept;
  void await_orphans();

  static constinit thread_local scheduler* here_;

  detail::resumable* first_ready_ = nullptr;
  detail::resumable** last_ready_ = &first_ready_;
  bool in_turn_ = false;
  bool has_slept_ = false;     // since the clock was read last
  std::uint8_t turns_ = 0;     // since then as well, or nearly
  bool knows_time_ = true;  // turn_time_ is this turn's; without timers, the clock is read where it is asked
  int inline_left_ = inline_budget;
  int budget_ = turn_budget;
#if PLAIT_BOUNDED_DEPTH
  int depth_left_ = 0;
#endif
  std::unique_ptr<driver> owned_driver_;
  driver* driver_;
  time_point turn_time_;
  detail::timer_wheel timers_;
  detail::spin_budget spin_;
  task_group* first_root_ = nullptr;  // the groups that no task has opened
  std::unique_ptr<cancel_scope> root_scope_;
  std::unique_ptr<task_group> background_;

 public:  // behind what awaits use
  // Told, in words, of locks that are taken in a wrong order, where check_lock_order has asked for that. The
  // default prints it. What it throws comes out of the lock().
  std::function<void(std::string const& report)> on_lock_order;

 private:
  alignas(64) detail::inbox<remote_call> inbox_;
};

// Makes a scheduler the current one of this thread for a while.
class scheduler_binding {
 public:
  explicit scheduler_binding(scheduler& s) noexcept;
  ~scheduler_binding();
  scheduler_binding(scheduler_binding const&) = delete;
  scheduler_binding& operator=(scheduler_binding const&) = delete;

 private:
  scheduler* previous_;
};

// Puts a scheduler in the place of the current one for a while, also in the middle of its turn: where one
// program of a simulation does something to another.
class scheduler_switch {
 public:
  explicit scheduler_switch(scheduler& s) noexcept : previous_(std::exchange(scheduler::here_, &s)) {}
  ~scheduler_switch() { scheduler::here_ = previous_; }
  scheduler_switch(scheduler_switch const&) = delete;
  scheduler_switch& operator=(scheduler_switch const&) = delete;

 private:
  scheduler* previous_;
};

inline void cancellable::note_begin([[maybe_unused]] scheduler const& s) noexcept {
#if PLAIT_TASK_TRACKING
  since_ = s.ticks();
#endif
}

inline void operation::begin(detail::task_state& task) noexcept {
  note_begin(scheduler::current());
  waiter_ = &task;
  status_ = status::pending;
  task.blocked = this;
  detail::count(&detail::ledger::operations, 1);
}

inline void operation::complete(status how) noexcept {
  detail::count(&detail::ledger::operations, -1);
  status_ = how;
  waiter_->blocked = nullptr;
  scheduler::current().make_ready(*waiter_);
}

inline scheduler& scheduler::current() noexcept {
  PLAIT_ASSERT(here_ != nullptr, "no plait scheduler runs on this thread; start one with plait::run");
  return *here_;
}

}  // namespace plait
