// with_timeout: a deadline around one awaitable. Over an operation the scope stands in the awaiter:
// no frame, nothing allocated, and nothing thrown internally where the caller asks for the result
// with as_result. The time counts from the turn in which the await begins.
#pragma once

#include <plait/cancel.hpp>
#include <plait/operation.hpp>
#include <plait/scheduler.hpp>
#include <plait/task.hpp>
#include <plait/task_group.hpp>

#include <memory>
#include <source_location>
#include <system_error>
#include <utility>

namespace plait {

namespace detail {

// A scope that is made when the await begins, so that what holds it can be moved until then.
class late_scope {
 public:
  late_scope() noexcept {}
  late_scope(late_scope&&) noexcept {}
  ~late_scope() {}

  cancel_scope& enter(duration d, task_state& task) noexcept {
    std::construct_at(&scope_);
    scope_.set_deadline(deadline_after(scheduler::current().turn_time(), d));
    scope_.enter(task);
    return scope_;
  }
  // Whether a cancellation that arrives here is this scope's own.
  bool leave() noexcept {
    bool const absorbs = scope_.absorbs();
    scope_.leave();
    std::destroy_at(&scope_);
    return absorbs;
  }

 private:
  union {
    cancel_scope scope_;
  };
};

}  // namespace detail

template <awaitable_operation Op>
class timed_operation : public operation {
 public:
  timed_operation(duration d, Op&& op) : op_(std::move(op)), limit_(d) {}

  bool start(detail::task_state& task) {
    started_ = !scope_.enter(limit_, task).cancel_visible();
    if (!started_) operation_access::skip(op_);
    return started_ && op_.start(task);
  }

  void finish() noexcept {
    if constexpr (requires { op_.finish(); }) {
      if (started_) op_.finish();
    }
    bool const own = scope_.leave();
    bool const cut_short = op_.state() == status::cancelled;
    expired_ = cut_short && own;
    complete_inline(cut_short && !own ? status::cancelled : status::done);
  }

  decltype(auto) result() {
    if (expired_) throw timed_out(limit_);
    return op_.result();
  }

  auto expected()
    requires requires(Op& op) { op.expected(); }
  {
    using answer = decltype(op_.expected());
    if (expired_) return answer(Op::failed(std::make_error_code(std::errc::timed_out)));
    return op_.expected();
  }
  static auto failed(std::error_code code)
    requires requires { Op::failed(code); }
  {
    return Op::failed(code);
  }

 private:
  void cancel() noexcept override {}  // the operation inside is what the task is blocked on

  Op op_;
  duration limit_;
  detail::late_scope scope_;
  bool started_ = false;
  bool expired_ = false;
};

namespace detail {

template <class T>
class timed_task_awaiter;

}  // namespace detail

template <class T>
class timed_task {
 public:
  using awaiter_for_plait = detail::timed_task_awaiter<T>;
  timed_task(duration d, task<T>&& t) noexcept : limit(d), body(std::move(t)) {}

  duration limit;
  task<T> body;
};

namespace detail {

template <class T>
class timed_task_awaiter {
 public:
  timed_task_awaiter(frame_link& frame, timed_task<T>&& t) noexcept
      : frame_(frame), limit_(t.limit), body_(std::move(t.body)) {}

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) {
    scope_.enter(limit_, *frame_.owner);
    body_handle_ = body_.release();
    return task_awaiter<T>(frame_, body_handle_).await_suspend(h);
  }
  T await_resume() {
    bool const own = scope_.leave();
    task<T> const owner = adopt();
    auto& result = body_handle_.promise().result;
    if (own) {
      auto const error = result.error();
      if (error != nullptr && is_cancelled(error)) throw timed_out(limit_);
    }
    return result.take();
  }

 private:
  task<T> adopt() noexcept { return body_handle_.promise().get_return_object(); }

  frame_link& frame_;
  duration limit_;
  task<T> body_;
  typename task<T>::handle_type body_handle_;
  late_scope scope_;
};

}  // namespace detail

// Throws timed_out when `op` has not completed after `d`; what completes in time is delivered, also
// when both happen in one turn. A sleep of just `d` times out: the timeout was set first.
template <awaitable_operation Op>
  requires(!std::is_lvalue_reference_v<Op>)
timed_operation<Op> with_timeout(duration d, Op&& op) {
  static_assert(!requires { Op::cannot_be_cut_short; },
                "a timeout cannot end the join of a group, which waits for its children: give the "
                "group's body a timeout, as in move_on_after(d, ...)");
  return timed_operation<Op>(d, std::move(op));
}

template <detail::operation_handle H>
auto with_timeout(duration d, H const& handle) {
  return timed_operation<decltype(handle.as_operation())>(d, handle.as_operation());
}

template <class T>
timed_task<T> with_timeout(duration d, task<T>&& t) {
  return timed_task<T>(d, std::move(t));
}

}  // namespace plait
