// Waiting for time, and giving way. Both are cancel points.
#pragma once

#include <plait/clock.hpp>
#include <plait/detail/timer_wheel.hpp>
#include <plait/operation.hpp>
#include <plait/scheduler.hpp>
#include <plait/task.hpp>

namespace plait {

class sleep_operation : public operation, private detail::timer {
 public:
  static constexpr bool claimable = true;

  explicit sleep_operation(time_point until) noexcept : timer(&ring) { timer::deadline = until; }
  sleep_operation(sleep_operation&& other) noexcept
      : operation(std::move(other)), timer(&ring) {
    timer::deadline = other.timer::deadline;
  }

  bool start(detail::task_state& task) {
    begin(task);
    if (timer::deadline != no_deadline) scheduler::current().timers().arm(*this, timer::deadline);
    return true;
  }
  void result() const noexcept {}
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 private:
  static void ring(timer& t) noexcept { static_cast<sleep_operation&>(t).complete(status::done); }

  void cancel() noexcept override {
    if (timer::armed()) scheduler::current().timers().cancel(*this);
    complete(status::cancelled);
  }
};

// Suspends until the clock has reached the deadline: never less, and as little more as the loop's
// other tasks allow. A deadline in the past still gives way once.
inline sleep_operation sleep_until(time_point deadline) noexcept { return sleep_operation(deadline); }

// Measured from this call.
inline sleep_operation sleep_for(duration d) noexcept {
  return sleep_operation(deadline_after(scheduler::current().now(), d));
}

inline sleep_operation sleep_forever() noexcept { return sleep_operation(no_deadline); }

namespace detail {
class yield_awaiter;
}

class yield_operation : public operation {
 public:
  using awaiter_for_plait = detail::yield_awaiter;

  yield_operation() noexcept = default;
  bool start(detail::task_state& task) noexcept {
    complete_inline(status::done);
    scheduler::current().make_ready(task);
    return true;
  }
  void result() const noexcept {}

 private:
  void cancel() noexcept override {}
};

namespace detail {

// What op_awaiter does with a yield_operation, without the operation. What await_suspend throws
// comes out of the co_await, so that nothing need be kept until then.
class yield_awaiter {
 public:
  yield_awaiter(frame_link&, yield_operation&&) noexcept {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> h) {
    frame_link& frame = h.promise();
    scheduler& s = scheduler::current();
    if (s.cancelled_scopes != 0) [[unlikely]] throw_if_cancelled(frame);
    s.make_ready(frame);
  }
  void await_resume() const noexcept {}

 private:
  [[gnu::cold]] static void throw_if_cancelled(frame_link& frame) {
    frame.owner->leaf = &frame;  // who looks on may ask for the line
    if (sees_cancel(*frame.owner)) throw_cancelled(*frame.owner);
  }
};

}  // namespace detail

// Goes to the end of the ready queue.
[[nodiscard("co_await this: it is the await that gives way")]] inline yield_operation yield() noexcept {
  return yield_operation();
}

}  // namespace plait
