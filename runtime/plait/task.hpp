// task<T>: a coroutine that runs when it is awaited.
//
// Lazy, move-only, awaited once and as an rvalue, on the thread of one scheduler. Awaiting it is a
// transfer of control: no queue, no atomic, no allocation but the frame, which comes from the
// thread's recycler. Its value may be move-only, a reference or nothing; an exception reaches the
// awaiter. A task that was never awaited never ran; destroying it is fine. One that is suspended is
// never destroyed: cancel its scope and await it.
//
//     plait::task<int> answer() { co_return 42; }
//     plait::task<> ask() { int n = co_await answer(); ... }
#pragma once

#include <plait/detail/config.hpp>
#include <plait/detail/result_slot.hpp>
#include <plait/detail/task_state.hpp>
#include <plait/operation.hpp>
#include <plait/scheduler.hpp>

#include <coroutine>
#include <exception>
#include <source_location>
#include <type_traits>
#include <utility>

namespace plait {

template <class T = void>
class task;

namespace detail {

template <class T>
struct task_promise;

[[noreturn]] void throw_cancelled(task_state const& task);
PLAIT_COLD_CALL bool sees_cancel(task_state const& task) noexcept;

// One load while nothing on this scheduler is cancelled.
inline bool cancel_pending(scheduler const& s, task_state const& task) noexcept {
  return s.cancelled_scopes != 0 && sees_cancel(task);
}

// Continues with `next`, through the ready queue where the native stack would grow.
inline std::coroutine_handle<> transfer_to(resumable& next) noexcept {
#if PLAIT_BOUNDED_DEPTH
  scheduler& s = scheduler::current();
  if (!s.deepen()) {
    s.make_ready(next);
    return std::noop_coroutine();
  }
#endif
  return next.handle();
}

struct final_awaiter {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> h) const noexcept {
    return transfer_to(*h.promise().parent);
  }
  void await_resume() const noexcept {}
};

template <class T>
struct task_awaiter {
  explicit task_awaiter(frame_link& parent, std::coroutine_handle<task_promise<T>> awaited) noexcept
      : child(awaited) {
    PLAIT_ASSERT(child, "a task was awaited that had been moved away");
    frame_link& link = child.promise();
    PLAIT_ASSERT(link.parent == nullptr, "a task was awaited twice");
    link.parent = &parent;
    link.owner = parent.owner;
#if PLAIT_BOUNDED_DEPTH
    link.note_await({});  // it may be queued
#endif
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<>) const noexcept {
    return transfer_to(child.promise());
  }
  T await_resume() const { return child.promise().result.take(); }

  std::coroutine_handle<task_promise<T>> child;
};

}  // namespace detail

// The awaiter of every operation: checks for cancellation, starts the operation, and now and then
// goes through the ready queue although the operation had finished at once, so that a task whose
// operations are always ready starves nobody. That yield comes after the completion and is no
// cancel point.
template <class Op>
class op_awaiter {
 public:
  op_awaiter(detail::frame_link& frame, Op&& op) : op_(std::move(op)), frame_(frame) {}
  // Makes the operation in place.
  template <class Handle>
  op_awaiter(detail::frame_link& frame, Handle const& handle)
      : op_(handle.as_operation()), frame_(frame) {}

  bool await_ready() const noexcept { return false; }

  bool await_suspend(std::coroutine_handle<>) {
    detail::task_state& task = *frame_.owner;
    scheduler& s = scheduler::current();
    task.leaf = &frame_;
    if constexpr (!requires { Op::ignores_cancel; }) {
      if (detail::cancel_pending(s, task)) [[unlikely]] {
        op_.status_ = operation::status::cancelled;
        return false;
      }
    }
    if constexpr (closes) started_ = true;
    if (op_.start(task)) {
      s.refill_inline();
      return true;
    }
    if (s.spend_inline()) [[likely]] return false;
    s.refill_inline();
    s.make_ready(task);
    return true;
  }

  decltype(auto) await_resume() {
    if constexpr (closes) {
      if (started_) op_.finish();
    }
    if (op_.status_ == operation::status::cancelled) [[unlikely]] {
      detail::throw_cancelled(*frame_.owner);
    }
    return op_.result();
  }

 private:
  static constexpr bool closes = requires(Op& op) { op.finish(); };
  struct nothing {};

  Op op_;
  detail::frame_link& frame_;
  // Whether there is something to close.
  [[no_unique_address]] std::conditional_t<closes, bool, nothing> started_{};
};

namespace detail {

// Gives a coroutine the control block of the task that it runs in.
struct this_task_state {};
struct this_task_awaiter {
  explicit this_task_awaiter(task_state& t) noexcept : task(&t) {}
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  task_state& await_resume() const noexcept { return *task; }
  task_state* task;
};

struct task_name {
  char const* text;
};

// A handle that stands for an operation: join_handle.
template <class A>
concept operation_handle = requires(A const& a) {
  { a.as_operation() } -> awaitable_operation;
};

// Something with an awaiter of its own, made from it and the awaiting frame: a task under a
// timeout; yield and join_handle, for their speed.
template <class A>
concept custom_awaitable = requires { typename A::awaiter_for_plait; };

// Notes where the frame awaits, and makes the awaiter, in place: GCC 12 copies or moves one that
// is returned by reference.
template <class Promise>
struct promise_awaits : frame_link {
  template <class T>
  task_awaiter<T> await_transform(task<T>&& child,
                                  std::source_location at = std::source_location::current()) noexcept {
    this->note_await(at);
    return task_awaiter<T>(*this, child.handle_);
  }

  template <awaitable_operation Op>
    requires(!std::is_lvalue_reference_v<Op> && !custom_awaitable<Op>)
  op_awaiter<Op> await_transform(Op&& op,
                                 std::source_location at = std::source_location::current()) {
    this->note_await(at);
    return op_awaiter<Op>(*this, std::move(op));
  }

  template <operation_handle H>
  auto await_transform(H const& handle,
                       std::source_location at = std::source_location::current()) {
    this->note_await(at);
    if constexpr (custom_awaitable<H>) {
      return typename H::awaiter_for_plait(*this, handle);
    } else {
      return op_awaiter<decltype(handle.as_operation())>(*this, handle);
    }
  }

  template <custom_awaitable A>
    requires(!std::is_lvalue_reference_v<A> && !operation_handle<A>)
  typename A::awaiter_for_plait await_transform(
      A&& awaitable, std::source_location at = std::source_location::current()) {
    this->note_await(at);
    return typename A::awaiter_for_plait(*this, std::move(awaitable));
  }

  this_task_awaiter await_transform(this_task_state) noexcept {
    return this_task_awaiter(*this->owner);
  }

  std::suspend_never await_transform(task_name given) noexcept {
    this->owner->set_name(given.text);
    return {};
  }
};

template <class T>
struct task_promise : promise_awaits<task_promise<T>> {
  task<T> get_return_object() noexcept;
  std::suspend_always initial_suspend() const noexcept { return {}; }
  final_awaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { result.fail_with_current(); }
  template <class U = T>
    requires std::is_constructible_v<T, U&&>
  void return_value(U&& value) {
    result.emplace(std::forward<U>(value));
  }

  result_slot<T> result;
};

template <>
struct task_promise<void> : promise_awaits<task_promise<void>> {
  task<void> get_return_object() noexcept;
  std::suspend_always initial_suspend() const noexcept { return {}; }
  final_awaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { result.fail_with_current(); }
  void return_void() const noexcept {}

  result_slot<void> result;
};

}  // namespace detail

template <class T>
class [[nodiscard("a task does nothing until you co_await it or spawn it")]] task {
 public:
  using value_type = T;
  using promise_type = detail::task_promise<T>;
  using handle_type = std::coroutine_handle<promise_type>;

  task(task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    task(std::move(other)).swap(*this);
    return *this;
  }
  // Inlined also where an exception leaves the await: only then does clang see that no frame escapes,
  // and place the frame of a child that it knows into the parent's.
  [[gnu::always_inline]] ~task() {
    if (handle_) handle_.destroy();
  }

  void swap(task& other) noexcept { std::swap(handle_, other.handle_); }

  // For combinators: the frame is theirs to resume and destroy.
  handle_type release() noexcept { return std::exchange(handle_, nullptr); }

 private:
  template <class Promise>
  friend struct detail::promise_awaits;
  friend promise_type;

  explicit task(handle_type h) noexcept : handle_(h) {}

  handle_type handle_;
};

namespace detail {

template <class T>
task<T> task_promise<T>::get_return_object() noexcept {
  static_assert(alignof(task_promise) <= 2 * sizeof(void*),
                "a task's value may be aligned to at most 16 bytes: return it by pointer");
  return task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
}

inline task<void> task_promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<task_promise>::from_promise(*this));
}

template <class T>
struct is_task : std::false_type {};
template <class T>
struct is_task<task<T>> : std::true_type {};

}  // namespace detail

// `co_await set_task_name("reader")` names the task that runs, in the task tree and in reports. The text must
// outlive the task, as a literal does. No cancel point, and it does not suspend. Who spawns a task can name
// it, too: see named() in task_group.hpp.
[[nodiscard("co_await this: it names the task that awaits it")]] inline detail::task_name set_task_name(
    char const* name) noexcept {
  return {name};
}

// A function or function object whose call gives a task.
template <class Fn, class... Args>
concept task_function = std::is_invocable_v<Fn, Args...> &&
                        detail::is_task<std::invoke_result_t<Fn, Args...>>::value;

}  // namespace plait
