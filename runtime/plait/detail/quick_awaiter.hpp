// The awaiter of operations that mostly finish at once. It does what op_awaiter does, but leaves
// the operation where its expression has made it, and suspends nothing where `start_at_once` says
// true.
#pragma once

#include <plait/operation.hpp>
#include <plait/scheduler.hpp>
#include <plait/task.hpp>

namespace plait::detail {

template <class Op>
class quick_awaiter {
 public:
  quick_awaiter(frame_link& frame, Op&& op) noexcept : op_(op), frame_(frame) {}

  bool await_ready() {
    scheduler& s = scheduler::current();
    if (s.cancelled_scopes != 0) [[unlikely]] return false;
    return op_.start_at_once() && s.spend_inline();
  }

  bool await_suspend(std::coroutine_handle<>) {
    task_state& task = *frame_.owner;
    scheduler& s = scheduler::current();
    task.leaf = &frame_;
    if (op_.state() == operation::status::idle) {
      if (cancel_pending(s, task)) [[unlikely]] {
        operation_access::skip(op_);
        return false;
      }
      if (op_.start(task)) {
        s.refill_inline();
        return true;
      }
      if (s.spend_inline()) return false;
    }
    s.refill_inline();
    s.make_ready(frame_);
    return true;
  }

  decltype(auto) await_resume() {
    if (op_.state() == operation::status::cancelled) [[unlikely]] throw_cancelled(*frame_.owner);
    return op_.result();
  }

 private:
  Op& op_;  // a temporary of the await expression, or what it names
  frame_link& frame_;
};

}  // namespace plait::detail
