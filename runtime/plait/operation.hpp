// What a suspended task waits for. An operation lives in the awaiting frame, is movable until it is
// started and pinned from then to its completion. Exactly one completion follows a start that
// returned true, whatever cancellation says: completion wins the race.
//
// An operation type has
//     bool start(detail::task_state&)   begins; false: finished at once, nothing will follow
//     R result()                        the value, or throws; called once, on the task's thread
// and may have
//     void finish() noexcept            closes what the operation opened around itself; before result
#pragma once

#include <plait/clock.hpp>
#include <plait/detail/config.hpp>
#include <plait/detail/ledger.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <source_location>
#include <utility>

namespace plait {

class scheduler;

namespace detail {
struct task_state;
}

// What a suspended task waits for, to whoever looks on: the task tree, the report of a deadlock.
struct wait_info {
  char const* what = "operation";           // "mutex", "recv", "join": of the kind, static
  char const* name = nullptr;               // of this one, where it was given a name
  void const* object = nullptr;             // tells two of a kind apart
  long number = -1;                         // a descriptor
  detail::task_state const* holder = nullptr;  // the task that has to act first, where one is known
  std::source_location held_at{};           // the await with which the holder came to hold it
  time_point until = no_deadline;           // the clock will end it then
  // Something that the scheduler does not see may end the wait: the kernel, the clock, another thread.
  bool from_outside = true;
};

// What a task is suspended on, to the scope that is cancelled.
class cancellable {
 public:
  // At most while the task is suspended. Asks the holder (driver, timer, queue) to let go; never
  // resumes anything.
  virtual void cancel() noexcept = 0;

  // The n-th of the things that it waits for, counted from 0: mostly there is one. False past the last.
  virtual bool waits_for(std::size_t n, wait_info& into) const noexcept;

  // Ends the wait with deadlock_error, where only other tasks could end it: a primitive's. False: it is
  // not that kind of wait, and goes on.
  virtual bool refuse_deadlock() noexcept { return false; }

  // When the wait began, in the scheduler's ticks: see scheduler::ticks.
  std::uint32_t waits_since() const noexcept {
#if PLAIT_TASK_TRACKING
    return since_;
#else
    return 0;
#endif
  }

 protected:
  ~cancellable() = default;
  inline void note_begin(scheduler const& s) noexcept;

#if PLAIT_TASK_TRACKING
 private:
  std::uint32_t since_ = 0;
#endif
};

class operation : public cancellable {
 public:
  enum class status : std::uint8_t { idle, pending, done, cancelled };

  status state() const noexcept { return status_; }

 protected:
  operation() = default;
  operation(operation&& other) noexcept : status_(other.status_) {
    PLAIT_ASSERT(other.status_ == status::idle, "an operation was moved after it had been awaited");
  }
  operation& operator=(operation&&) = delete;
  ~operation() {
    // The kernel or a queue would go on using memory that is gone.
    PLAIT_CHECK(status_ != status::pending,
                "an operation was destroyed in flight; cancel its scope and await it instead of "
                "destroying the coroutine");
  }

  // From here to complete() the task is suspended on this operation.
  void begin(detail::task_state& task) noexcept;

  // The task goes on the ready queue; owner thread only.
  void complete(status how) noexcept;

  // Finished inside start.
  void complete_inline(status how) noexcept { status_ = how; }

  detail::task_state* waiter() const noexcept { return waiter_; }

 private:
  template <class Op>
  friend class op_awaiter;
  friend struct operation_access;

  status status_ = status::idle;  // first: it fits behind the base's last member
  detail::task_state* waiter_ = nullptr;
};

// What plait's combinators and drivers may do to an operation that is not their own.
struct operation_access {
  // Instead of starting it: it counts as cancelled.
  static void skip(operation& op) noexcept { op.status_ = operation::status::cancelled; }
  static void wake(operation& op) noexcept { op.complete(operation::status::done); }
};

template <class Op>
concept awaitable_operation =
    std::derived_from<Op, operation> && requires(Op op, detail::task_state& task) {
      { op.start(task) } -> std::same_as<bool>;
      op.result();
    };

}  // namespace plait
