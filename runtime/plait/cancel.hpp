// Cancellation by scope, level-triggered, after Trio's cancel scopes
// (N. J. Smith, "Timeouts and cancellation for humans", 2018).
//
// A scope is entered only by awaiting: with_cancel_scope, move_on_after, fail_after, shield,
// with_timeout, with_task_group. While a scope is cancelled every await of a plait operation inside
// it throws `cancelled`; nothing is resumed inline and nothing is destroyed. The outermost cancelled
// scope that the task can see absorbs the exception. A shield hides what lies outside of it. A body
// that returns normally returns its value, even past its deadline. Deadlines nest: the earliest one
// counts. Everything here belongs to the scheduler's thread, but for `request_cancel`.
#pragma once

#include <plait/clock.hpp>
#include <plait/detail/await_safe.hpp>
#include <plait/detail/cancel_request.hpp>
#include <plait/scheduler.hpp>
#include <plait/task.hpp>

#include <functional>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace plait {

// Thrown by the awaits of a cancelled scope. It is no std::exception, so that a handler for
// errors does not swallow it; let it pass, or rethrow it.
class cancelled {
 public:
  cancelled(char const* reason, std::source_location by) noexcept : reason_(reason), by_(by) {}

  char const* reason() const noexcept { return reason_; }              // never null
  std::source_location const& cancelled_at() const noexcept { return by_; }

 private:
  char const* reason_;
  std::source_location by_;
};

// What fail_after and with_timeout throw.
class timed_out : public std::runtime_error {
 public:
  explicit timed_out(duration after);
  duration after() const noexcept { return after_; }

 private:
  duration after_;
};

class cancel_scope {
 public:
  struct root_tag {};
  static constexpr root_tag root{};

  enum class kind : std::uint8_t { plain, shield, group };

  explicit cancel_scope(kind what = kind::plain) noexcept : kind_(what) {}
  cancel_scope(root_tag, scheduler& owner) noexcept : scheduler_(&owner) {}
  ~cancel_scope();
  cancel_scope(cancel_scope const&) = delete;
  cancel_scope& operator=(cancel_scope const&) = delete;

  // Owner thread. The reason must outlive the scope: a literal. Cancelling again changes nothing.
  void cancel(char const* reason = "cancelled",
              std::source_location by = std::source_location::current()) noexcept;

  // Any thread, while the scope is certainly alive. Takes effect at the scheduler's next turn.
  void request_cancel(char const* reason = "cancelled from another thread",
                      std::source_location by = std::source_location::current()) noexcept;

  // Of a group: cancels the shields of its tasks, which do not see what is cancelled outside of them, and
  // those of all tasks in these. For a simulation that ends a program whatever it does.
  void cancel_shields(char const* reason);

  bool cancel_called() const noexcept { return cancelled_; }
  // An await in this scope would throw.
  bool cancel_visible() const noexcept { return visible_; }

  // The earliest of this scope's deadline and those outside it that it can see.
  time_point deadline() const noexcept;
  void set_deadline(time_point deadline) noexcept;

  // For plait's own combinators: a scope is entered by the task that is running, and left in the
  // reverse order. `absorbs` tells whether a `cancelled` that arrives here ends here.
  void enter(detail::task_state& task) noexcept;
  void leave() noexcept;
  bool absorbs() const noexcept;
  bool expired() const noexcept { return expired_; }

  cancel_scope* parent() const noexcept { return parent_; }
  // The task that has entered it, or null.
  detail::task_state* entered_by() const noexcept { return task_; }
  bool is_group() const noexcept { return kind_ == kind::group; }
  // What to throw at a task whose innermost scope is this one.
  [[noreturn]] void throw_cancelled() const;

 private:
  friend class task_group;

  void take_requests() noexcept;
  void spread() noexcept;
  void reach_task(detail::task_state& task, cancel_scope*& groups) noexcept;
  void show() noexcept;
  cancel_scope const& cause() const noexcept;

  cancel_scope* parent_ = nullptr;
  detail::task_state* task_ = nullptr;
  scheduler* scheduler_ = nullptr;
  kind kind_ = kind::plain;
  bool cancelled_ = false;  // cancel was called on this scope
  bool visible_ = false;    // it, or one outside that it can see, is cancelled
  bool expired_ = false;    // by its own deadline
  char const* reason_ = "";
  std::source_location by_;
  cancel_scope* next_group_ = nullptr;  // while spread() walks
  mutable cancel_scope const* cause_ = nullptr;  // where cause() ended, to go on from there

  struct deadline_timer : detail::timer {
    explicit deadline_timer(cancel_scope& s) noexcept;
    cancel_scope& scope;
  };
  deadline_timer timer_{*this};

  struct cancel_reason {
    char const* text = "";
    std::source_location by;
  };
  struct request_call : remote_call {
    explicit request_call(cancel_scope& s) noexcept;
    cancel_scope& scope;
  };
  detail::cancel_request<cancel_reason> request_;
  request_call request_call_{*this};
};

namespace detail {

// Leaves a scope on every way out of a coroutine.
class scope_entry {
 public:
  scope_entry(cancel_scope& scope, task_state& task) noexcept : scope_(scope) { scope.enter(task); }
  ~scope_entry() {
    if (entered_) scope_.leave();
  }
  scope_entry(scope_entry const&) = delete;
  scope_entry& operator=(scope_entry const&) = delete;
  void leave() noexcept {
    scope_.leave();
    entered_ = false;
  }

 private:
  cancel_scope& scope_;
  bool entered_ = true;
};

template <class Fn, class... Args>
using task_value_t = typename std::invoke_result_t<Fn, Args...>::value_type;

// What a body that may be cut short gives: optional<T>, or for void whether it completed.
template <class T>
struct maybe {
  using type = std::optional<T>;
};
template <>
struct maybe<void> {
  using type = bool;
};
template <class T>
using maybe_t = typename maybe<T>::type;

template <class Fn, class... Args>
task<maybe_t<task_value_t<Fn, cancel_scope&, Args...>>> in_scope(time_point deadline, Fn fn, Args... args) {
  using value = task_value_t<Fn, cancel_scope&, Args...>;
  task_state& self = co_await this_task_state();
  cancel_scope scope;
  scope.set_deadline(deadline);
  scope_entry const entry(scope, self);
  try {
    if constexpr (std::is_void_v<value>) {
      co_await std::invoke(fn, scope, std::move(args)...);
      co_return true;
    } else {
      co_return co_await std::invoke(fn, scope, std::move(args)...);
    }
  } catch (cancelled const&) {
    if (!scope.absorbs()) throw;
  }
  co_return maybe_t<value>{};
}

template <class Fn, class... Args>
task<task_value_t<Fn, Args...>> failing_after(duration d, Fn fn, Args... args) {
  task_state& self = co_await this_task_state();
  cancel_scope scope;
  scope.set_deadline(deadline_after(scheduler::current().now(), d));
  scope_entry const entry(scope, self);
  try {
    co_return co_await std::invoke(fn, std::move(args)...);
  } catch (cancelled const&) {
    if (!scope.absorbs()) throw;
  }
  throw timed_out(d);
}

template <class Fn, class... Args>
task<task_value_t<Fn, Args...>> shielded(duration d, Fn fn, Args... args) {
  task_state& self = co_await this_task_state();
  cancel_scope scope(cancel_scope::kind::shield);
  if (d != duration::max()) scope.set_deadline(deadline_after(scheduler::current().now(), d));
  scope_entry const entry(scope, self);
  try {
    co_return co_await std::invoke(fn, std::move(args)...);
  } catch (cancelled const&) {
    if (!scope.absorbs()) throw;
  }
  throw timed_out(d);
}

// Gives the callable the scope where it asks for it.
template <class Fn>
struct scope_or_not {
  explicit scope_or_not(Fn f) : fn(std::move(f)) {}
  Fn fn;
  template <class... Args>
  auto operator()(cancel_scope& scope, Args&&... args) {
    if constexpr (std::is_invocable_v<Fn&, cancel_scope&, Args...>) {
      return std::invoke(fn, scope, std::forward<Args>(args)...);
    } else {
      return std::invoke(fn, std::forward<Args>(args)...);
    }
  }
};

}  // namespace detail

// Runs fn(scope, args...) or fn(args...) in a scope of its own. Gives std::optional of its value
// (for void: a bool), empty when the scope was cancelled and the body did not return.
template <class Fn, class... Args>
  requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...)
auto with_cancel_scope(Fn&& fn, Args&&... args) {
  return detail::in_scope(no_deadline, detail::scope_or_not<std::decay_t<Fn>>(std::forward<Fn>(fn)),
                          detail::decay_copy(std::forward<Args>(args))...);
}

// The same, cancelled after `d`, measured from this call. A negative or zero duration cancels at the
// first await.
template <class Fn, class... Args>
  requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...)
auto move_on_after(duration d, Fn&& fn, Args&&... args) {
  return detail::in_scope(deadline_after(scheduler::current().now(), d),
                          detail::scope_or_not<std::decay_t<Fn>>(std::forward<Fn>(fn)),
                          detail::decay_copy(std::forward<Args>(args))...);
}

// Runs fn(args...) and gives its value; throws timed_out when it was cut short.
template <class Fn, class... Args>
  requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...)
auto fail_after(duration d, Fn&& fn, Args&&... args) {
  return detail::failing_after(d, std::decay_t<Fn>(std::forward<Fn>(fn)),
                               detail::decay_copy(std::forward<Args>(args))...);
}

// Runs fn(args...) out of sight of the scopes outside. Give it a deadline where it does I/O: what
// lies outside waits for it.
template <class Fn, class... Args>
  requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...)
auto shield(Fn&& fn, Args&&... args) {
  return detail::shielded(duration::max(), std::decay_t<Fn>(std::forward<Fn>(fn)),
                          detail::decay_copy(std::forward<Args>(args))...);
}

}  // namespace plait
