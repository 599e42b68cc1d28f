// Structured concurrency: a group owns the tasks spawned into it and ends after the last of them.
//
//     co_await with_task_group([&](task_group& g) -> task<> {
//       g.spawn(serve, port);
//       g.spawn(log_statistics);
//       co_await g.join();   // needed where children refer to locals of this body
//     });
//
// with_task_group returns only when every child has ended. The first failure cancels the siblings
// and is rethrown as it is; `failures()` has all of them, once each. The body's locals die before
// the group waits: a child that refers to them needs the body to end with `co_await g.join()`.
// Owner thread only. No child is ever detached or destroyed while suspended.
#pragma once

#include <plait/cancel.hpp>
#include <plait/detail/await_safe.hpp>
#include <plait/task.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <stdexcept>
#include <tuple>
#include <vector>

namespace plait {

class task_group;

// What joining a child that was cancelled throws, so that the joiner can tell it from its own
// cancellation.
class task_cancelled : public std::runtime_error {
 public:
  explicit task_cancelled(char const* reason);
};

namespace detail {

[[noreturn]] void rethrow_join_failure(std::exception_ptr error);
bool is_cancelled(std::exception_ptr const& error) noexcept;

cancel_scope* scope_of(task_group& group) noexcept;

// A task in a group. Freed when it has returned and no handle refers to it.
struct child : task_state {
  using task_state::task_state;

  // The links end with the child; the group stays reachable for the handle.
  child* next = nullptr;
  child** previous = nullptr;
  operation* joiner = nullptr;
  bool returned = false;
  bool has_handle = false;
  bool started = true;

  void release_handle() noexcept {
    has_handle = false;
    if (returned) destroy(this);
  }
};

template <class T>
struct child_result : child {
  child_result(resume_fn on_resume, resume_fn on_destroy, cancel_scope* in) noexcept
      : child(on_resume, on_destroy, in), body() {}
  ~child_result() {
    if (!started) {
      std::destroy_at(&not_started);
    } else if (body) {
      body.destroy();
    }
  }

  bool failed() const noexcept { return !started || body.promise().result.failed(); }
  std::exception_ptr error() const noexcept {
    return started ? body.promise().result.error() : not_started;
  }
  T take() { return body.promise().result.take(); }
  void fail_to_start(std::exception_ptr error) noexcept {
    std::construct_at(&not_started, std::move(error));
    started = false;
  }

  union {
    std::coroutine_handle<task_promise<T>> body;  // its frame keeps the result
    std::exception_ptr not_started;               // where there is no frame
  };
};

// Stores the callable and its arguments: the coroutine may refer to them for as long as it lives.
template <class T, class Fn, class... Args>
struct spawned final : child_result<T> {
  template <class F, class... A>
  explicit spawned(task_group& in, F&& f, A&&... a)
      : child_result<T>(&start, &free, scope_of(in)),
        fn(std::forward<F>(f)),
        args(std::forward<A>(a)...) {}

  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { free_frame(block, bytes); }

  // The ready queue resumes the root twice at most: first to start the body, then, by the body's
  // final transfer, because it has returned.
  static void start(root_frame* root) noexcept;
  static void finish(root_frame* root) noexcept;
  static void free(root_frame* root) noexcept { delete static_cast<spawned*>(root); }

  [[no_unique_address]] Fn fn;
  [[no_unique_address]] std::tuple<Args...> args;
};

}  // namespace detail

template <class T>
class join_handle;

class task_group : private cancel_scope {
 public:
  enum class on_failure : std::uint8_t { cancel_siblings, report };

  task_group() noexcept : cancel_scope(kind::group) {}
  // Without a task of its own around it; for what starts tasks from outside.
  task_group(cancel_scope& outside, on_failure then) noexcept;
  ~task_group();
  task_group(task_group const&) = delete;
  task_group& operator=(task_group const&) = delete;

  // Starts fn(args...) as a child at the next turn. Callable and arguments are moved or copied into
  // the child and live as long as it does. In a cancelled group the child still starts, and runs to
  // its first cancel point. The handle may be dropped: the child goes on, and the group waits.
  template <class Fn, class... Args>
    requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...) &&
             task_function<std::decay_t<Fn>&, std::decay_t<Args>...>
  auto spawn(Fn&& fn, Args&&... args);

  // Waits until no child is left, also while the group is cancelled, since its children then end.
  // Never throws; look at failures(), or just return: the group throws what must be thrown.
  auto join() noexcept;

  // Cancels the children and the body.
  void cancel(char const* reason = "task group cancelled",
              std::source_location by = std::source_location::current()) noexcept {
    cancel_scope::cancel(reason, by);
  }
  cancel_scope& scope() noexcept { return *this; }

  std::size_t size() const noexcept { return alive_; }
  bool empty() const noexcept { return alive_ == 0; }
  std::span<std::exception_ptr const> failures() const noexcept { return failures_; }

  // For with_task_group and the children themselves.
  void add(detail::child& c) noexcept {
    c.previous = last_;
    *last_ = &c;
    last_ = &c.next;
    ++alive_;
    scheduler::current().make_ready(c);
  }
  void remove(detail::child& c) noexcept {
    *c.previous = c.next;
    (c.next != nullptr ? c.next->previous : last_) = c.previous;
    if (--alive_ == 0 && joiner_ != nullptr) wake_joiner();
  }
  void note(std::exception_ptr error) noexcept;
  void note_cancelled() noexcept { saw_cancelled_ = true; }
  static task_group& of(cancel_scope& scope) noexcept { return static_cast<task_group&>(scope); }
  // After join and after leaving the scope: throws the first failure, or `cancelled` where that
  // came from outside. Returns whether the group itself was cut short.
  bool settle(detail::task_state& self, bool absorbs);

 private:
  friend class cancel_scope;
  friend class group_join;

  void wake_joiner() noexcept;

  detail::child* first_ = nullptr;
  detail::child** last_ = &first_;
  std::size_t alive_ = 0;
  operation* joiner_ = nullptr;
  on_failure on_failure_ = on_failure::cancel_siblings;
  bool saw_cancelled_ = false;
  std::vector<std::exception_ptr> failures_;
};

class group_join : public operation {
 public:
  explicit group_join(task_group& g) noexcept : group_(&g) {}
  bool start(detail::task_state& task);
  void result() const noexcept {}
  static constexpr bool ignores_cancel = true;
  void wake() noexcept { complete(status::done); }

 private:
  void cancel() noexcept override {}

  task_group* group_;
};

inline void task_group::wake_joiner() noexcept {
  static_cast<group_join&>(*std::exchange(joiner_, nullptr)).wake();
}

inline auto task_group::join() noexcept { return group_join(*this); }

// The wait for a child's end. Cancelling it leaves the child running.
class child_join : public operation {
 public:
  explicit child_join(detail::child& c) noexcept : child_(&c) {}
  bool start(detail::task_state& task) {
    if (child_->returned) {
      complete_inline(status::done);
      return false;
    }
    PLAIT_CHECK(child_->joiner == nullptr, "two tasks join the same child; a handle has one joiner");
    child_->joiner = this;
    begin(task);
    return true;
  }
  void wake() noexcept { complete(status::done); }

 protected:
  detail::child* child_;

 private:
  void cancel() noexcept override;
};

template <class T>
class child_value : public child_join {
 public:
  using child_join::child_join;
  T result() {
    auto& c = static_cast<detail::child_result<T>&>(*child_);
    if (c.failed()) [[unlikely]] detail::rethrow_join_failure(c.error());
    return c.take();
  }
};

// Refers to a child. `co_await handle` gives the child's value or throws its failure (task_cancelled
// where it was cancelled), once; one joiner at a time. Dropping the handle leaves the child running.
template <class T>
class join_handle {
 public:
  explicit join_handle(detail::child_result<T>& c) noexcept : child_(&c) { c.has_handle = true; }
  join_handle(join_handle&& other) noexcept : child_(std::exchange(other.child_, nullptr)) {}
  join_handle& operator=(join_handle&& other) noexcept {
    std::swap(child_, other.child_);
    return *this;
  }
  ~join_handle() {
    if (child_ != nullptr) child_->release_handle();
  }

  bool done() const noexcept { return child_->returned; }
  bool const& done_flag() const noexcept { return child_->returned; }

  // What co_await awaits.
  child_value<T> as_operation() const noexcept { return child_value<T>(*child_); }

  // After done(): the value, without suspending.
  T take() const { return as_operation().result(); }

 private:
  detail::child_result<T>* child_;
};

namespace detail {

inline cancel_scope* scope_of(task_group& group) noexcept { return &group.scope(); }
void note_failure(task_group& group, std::exception_ptr error) noexcept;

// The child may be gone afterwards.
template <class T>
void child_returned(child_result<T>& c) noexcept {
  task_group& group = task_group::of(*c.scope);
  c.returned = true;
  // First, so that who joins the child in its own group gets the failure and not the cancellation
  // that follows from it.
  if (c.joiner != nullptr) static_cast<child_join&>(*std::exchange(c.joiner, nullptr)).wake();
  if (c.failed()) [[unlikely]] note_failure(group, c.error());
  group.remove(c);
  if (!c.has_handle) c.destroy(&c);
}

template <class T, class Fn, class... Args>
void spawned<T, Fn, Args...>::start(root_frame* root) noexcept {
  auto& self = *static_cast<spawned*>(root);
  self.resume = &finish;
  try {
    self.body = std::apply(
                    [&self](auto&... a) { return std::invoke(self.fn, std::move(a)...); }, self.args)
                    .release();
  } catch (...) {  // no memory for the frame, or a callable that throws before it is a coroutine
    self.fail_to_start(std::current_exception());
    return child_returned(self);
  }
  frame_link& first = self.body.promise();
  first.parent = &self.link;
  first.owner = &self;
  self.body.resume();
}

template <class T, class Fn, class... Args>
void spawned<T, Fn, Args...>::finish(root_frame* root) noexcept {
  child_returned(*static_cast<spawned*>(root));
}

// Spawns a task that exists already: its own frame becomes the child's.
template <class T>
struct hand_over {
  task<T> operator()(task<T> t) const noexcept { return t; }
};

template <class Fn, class... Args>
task<task_value_t<Fn, task_group&, Args...>> in_group(Fn fn, Args... args) {
  using value = task_value_t<Fn, task_group&, Args...>;
  task_state& self = co_await this_task_state();
  task_group group;
  scope_entry entry(group.scope(), self);
  result_slot<value> kept;
  bool has_value = false;
  try {
    if constexpr (std::is_void_v<value>) {
      co_await std::invoke(fn, group, std::move(args)...);
    } else {
      kept.emplace(co_await std::invoke(fn, group, std::move(args)...));
    }
    has_value = true;
  } catch (cancelled const&) {
    group.note_cancelled();
  } catch (...) {
    group.note(std::current_exception());
  }
  co_await group.join();
  bool const absorbs = group.scope().absorbs();
  entry.leave();
  group.settle(self, absorbs);
  if constexpr (!std::is_void_v<value>) {
    if (!has_value) throw task_cancelled("the group was cancelled before its body had a value");
    co_return kept.take();
  }
}

}  // namespace detail

template <class Fn, class... Args>
  requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...) &&
           task_function<std::decay_t<Fn>&, std::decay_t<Args>...>
auto task_group::spawn(Fn&& fn, Args&&... args) {
  using value = typename std::invoke_result_t<std::decay_t<Fn>&, std::decay_t<Args>...>::value_type;
  using made = detail::spawned<value, std::decay_t<Fn>, std::decay_t<Args>...>;
  auto& child = *new made(*this, std::forward<Fn>(fn), std::forward<Args>(args)...);
  add(child);  // not before the arguments are there: copying them may throw
  return join_handle<value>(child);
}

// Runs fn(group, args...) and then waits for every child; gives the body's value.
template <class Fn, class... Args>
  requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...)
auto with_task_group(Fn&& fn, Args&&... args) {
  return detail::in_group(std::decay_t<Fn>(std::forward<Fn>(fn)),
                          detail::decay_copy(std::forward<Args>(args))...);
}

}  // namespace plait
