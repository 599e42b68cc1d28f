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

#include <cstdint>
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
template <class T>
class join_handle;

// What joining a child that was cancelled throws, so that the joiner can tell it from its own
// cancellation.
class task_cancelled : public std::runtime_error {
 public:
  explicit task_cancelled(char const* reason);
};

namespace detail {

class live_tasks;

// What a task waited for has come: to the ready queue.
inline void resume_later(task_state& task) noexcept {
  task.blocked = nullptr;
  count(&ledger::operations, -1);
  scheduler::current().make_ready(task);
}

// What the join of a child tells about itself.
bool waits_for_child(task_state const& child, std::size_t n, wait_info& into) noexcept;

[[noreturn]] void rethrow_join_failure(std::exception_ptr error);
bool is_cancelled(std::exception_ptr const& error) noexcept;

// The children of a group: a ring through the group.
struct sibling {
  sibling* next;
  sibling* previous;
};

// A task in a group. Freed when it has returned and no handle refers to it.
struct child : task_state, sibling {
  using task_state::task_state;

  task_state* joiner = nullptr;  // stays when it has been woken, and goes when its join is cancelled
  bool returned = false;
  bool has_value = false;
  bool dropped = false;     // its handle
  bool keeps_arguments = false;
  // A driver's that orders the ready tasks; 0: none yet. Fills a word, so that one store clears it and
  // the flags.
  std::uint32_t priority = 0;
  std::coroutine_handle<> body;  // its frame keeps the result

  void set_joiner(task_state& task) noexcept {
    PLAIT_CHECK(joiner == nullptr, "two tasks join the same child; a handle has one joiner");
    joiner = &task;
  }
};

// A child is made with its coroutine, which the ready queue then starts. The coroutine's final
// transfer resumes the child's root: the end.
template <class T>
struct child_result : child {
  child_result(task<T>&& body_task, resume_fn on_destroy, cancel_scope* in) noexcept
      : child(&finish, on_destroy, in) {
    run(std::move(body_task));
  }

  void run(task<T>&& body_task) noexcept {
    body = body_task.release();
    leaf = &promise();
    leaf->parent = &link;
    leaf->owner = this;
    leaf->note_await({});
  }

  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { free_frame(block, bytes); }

  static void finish(root_frame* root);
  [[gnu::cold, gnu::noinline]] static void fail(child_result& self) noexcept;
  static void free(root_frame* root) noexcept {
    std::coroutine_handle<> const returned_body = static_cast<child*>(root)->body;
    free_frame(root, sizeof(child_result));
    returned_body.destroy();
  }

  void drop() noexcept {
    if (returned) return keeps_arguments ? destroy(this) : free(this);
    dropped = true;
    PLAIT_CHECK(joiner == nullptr, "a join_handle was destroyed while a task joins it");
  }

  task_promise<T>& promise() const noexcept {
    return std::coroutine_handle<task_promise<T>>::from_address(body.address()).promise();
  }
  T value() { return promise().result.take(); }
  [[noreturn, gnu::cold]] void throw_failure() {
    rethrow_join_failure(promise().result.error());
  }

 protected:
  // What the coroutine needs is made between this and `run`.
  child_result(resume_fn on_destroy, cancel_scope* in) noexcept : child(&finish, on_destroy, in) {}
};

// Keeps the callable and its arguments, since the coroutine may refer to them for as long as it lives.
template <class T, class Fn, class... Args>
struct child_with_arguments final : child_result<T> {
  template <class F, class... A>
  explicit child_with_arguments(cancel_scope* in, F&& f, A&&... a)
      : child_result<T>(&free, in), fn(std::forward<F>(f)), args(std::forward<A>(a)...) {
    this->keeps_arguments = true;
    this->run(std::apply([this](auto&... kept) { return std::invoke(fn, std::move(kept)...); }, args));
  }

  static void free(root_frame* root) noexcept {
    auto* const self = static_cast<child_with_arguments*>(root);
    self->body.destroy();  // before what it refers to
    delete self;
  }

  [[no_unique_address]] Fn fn;
  [[no_unique_address]] std::tuple<Args...> args;
};

// The parameters of a function with one signature.
template <class F>
struct signature {};
template <class R, class... P>
struct signature<R (*)(P...)> {
  using parameters = std::tuple<P...>;
};
template <class R, class... P>
struct signature<R (*)(P...) noexcept> : signature<R (*)(P...)> {};
template <class R, class C, class... P>
struct signature<R (C::*)(P...)> : signature<R (*)(P...)> {};
template <class R, class C, class... P>
struct signature<R (C::*)(P...) noexcept> : signature<R (*)(P...)> {};
template <class R, class C, class... P>
struct signature<R (C::*)(P...) const> : signature<R (*)(P...)> {};
template <class R, class C, class... P>
struct signature<R (C::*)(P...) const noexcept> : signature<R (*)(P...)> {};

// A coroutine that takes these very types by value has copies of its own, and what is empty needs none.
template <class Fn, class... Args>
constexpr bool keeps_its_arguments() {
  if constexpr (requires { typename signature<Fn>::parameters; }) {
    return std::is_same_v<typename signature<Fn>::parameters, std::tuple<Args...>>;
  } else if constexpr (requires { typename signature<decltype(&Fn::operator())>::parameters; }) {
    return std::is_empty_v<Fn> && std::is_default_constructible_v<Fn> &&
           std::is_same_v<typename signature<decltype(&Fn::operator())>::parameters,
                          std::tuple<Args...>>;
  } else {
    return false;
  }
}

// A closure that captures nothing outlives every coroutine that is made from it.
template <class Fn>
inline Fn empty_callable{};

template <class Fn, class... Args>
auto& make_child(cancel_scope* in, Fn&& fn, Args&&... args) {
  using callable = std::decay_t<Fn>;
  using value = typename std::invoke_result_t<callable&, std::decay_t<Args>...>::value_type;
  if constexpr (!keeps_its_arguments<callable, std::decay_t<Args>...>()) {
    return *new child_with_arguments<value, callable, std::decay_t<Args>...>(
        in, std::forward<Fn>(fn), std::forward<Args>(args)...);
  } else if constexpr (std::is_empty_v<callable>) {
    return *new child_result<value>(empty_callable<callable>(std::forward<Args>(args)...),
                                    &child_result<value>::free, in);
  } else {
    return *new child_result<value>(fn(std::forward<Args>(args)...), &child_result<value>::free, in);
  }
}

template <class Fn>
struct named_callable {
  char const* name;
  Fn fn;
};

}  // namespace detail

// `g.spawn(named("reader", read_all), stream)` names the child, in the task tree and in reports. The text
// must outlive the task, as a literal does.
template <class Fn>
auto named(char const* name, Fn&& fn) {
  return detail::named_callable<std::decay_t<Fn>>{name, std::forward<Fn>(fn)};
}

class task_group : private cancel_scope {
 public:
  enum class on_failure : std::uint8_t { cancel_siblings, report };

  task_group() noexcept : cancel_scope(kind::group) {}
  // Without a task of its own around it; for what starts tasks from outside.
  task_group(cancel_scope& outside, on_failure then) noexcept;
  ~task_group();
  task_group(task_group const&) = delete;
  task_group& operator=(task_group const&) = delete;

  // Calls fn(args...) and starts the task that it gives as a child, at the next turn. Callable and
  // arguments are moved or copied into the child and live as long as it does. What copying them or the
  // call throws, spawn throws. In a cancelled group the child still starts, and runs to its first
  // cancel point. The handle may be dropped: the child goes on, and the group waits.
  template <class Fn, class... Args>
    requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...) &&
             task_function<std::decay_t<Fn>&, std::decay_t<Args>...>
  auto spawn(Fn&& fn, Args&&... args);
  template <class Fn, class... Args>
    requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...) &&
             task_function<Fn&, std::decay_t<Args>...>
  auto spawn(detail::named_callable<Fn>&& named, Args&&... args);

  // Waits until no child is left, also while the group is cancelled, since its children then end.
  // Never throws; look at failures(), or just return: the group throws what must be thrown.
  auto join() noexcept;

  // Cancels the children and the body.
  void cancel(char const* reason = "task group cancelled",
              std::source_location by = std::source_location::current()) noexcept {
    cancel_scope::cancel(reason, by);
  }
  cancel_scope& scope() noexcept { return *this; }

  // Counts them.
  std::size_t size() const noexcept;
  bool empty() const noexcept { return children_.next == &children_; }
  // In the order in which they came. Where there is no memory to keep them all, the first is kept.
  std::span<std::exception_ptr const> failures() const noexcept {
    if (!failures_.empty() || only_failure_ == nullptr) return failures_;
    return {&only_failure_, 1};
  }

  // For with_task_group and the children themselves.
  void add(detail::child& c) noexcept {
    c.next = &children_;
    c.previous = children_.previous;
    children_.previous->next = &c;
    children_.previous = &c;
    scheduler::current().make_ready(*c.leaf);
  }
  void remove(detail::child& c) noexcept {
    c.next->previous = c.previous;
    c.previous->next = c.next;
    if (joiner_ != nullptr) [[unlikely]] {
      if (empty()) wake_joiner();
    }
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
  friend class detail::live_tasks;

  void wake_joiner() noexcept;

  detail::sibling children_{&children_, &children_};
  operation* joiner_ = nullptr;
  on_failure on_failure_ = on_failure::cancel_siblings;
  bool saw_cancelled_ = false;
  std::vector<std::exception_ptr> failures_;
  std::exception_ptr only_failure_;
  task_group* next_root_ = nullptr;  // of the scheduler's groups without a task around them
};

class group_join : public operation {
 public:
  explicit group_join(task_group& g) noexcept : group_(&g) {}
  bool start(detail::task_state& task);
  void result() const noexcept {}
  static constexpr bool ignores_cancel = true;
  static constexpr bool cannot_be_cut_short = true;  // its children can
  void wake() noexcept { complete(status::done); }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

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
  static constexpr bool claimable = true;

  explicit child_join(detail::child& c) noexcept : child_(&c) {}
  bool start(detail::task_state& task) {
    if (child_->returned) {
      complete_inline(status::done);
      return false;
    }
    child_->set_joiner(task);
    begin(task);
    return true;
  }
  // The child knows the task that joins it, and not the operation.
  void finish() noexcept {
    if (state() == status::pending) complete_inline(status::done);
  }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

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
    if (!c.has_value) [[unlikely]] c.throw_failure();
    return c.value();
  }
};

namespace detail {

// What op_awaiter does with a child_value, without the operation.
template <class T>
class join_awaiter final : public cancellable {
 public:
  join_awaiter(frame_link&, join_handle<T> const& handle) noexcept : child_(handle.child_) {}

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> h) {
    frame_link& frame = h.promise();
    task_state& task = *frame.owner;
    scheduler& s = scheduler::current();
    task.leaf = &frame;
    if (cancel_pending(s, task)) [[unlikely]] throw_cancelled(task);
    if (!child_->returned) [[likely]] {
      child_->set_joiner(task);
      note_begin(s);
      task.blocked = this;
      count(&ledger::operations, 1);
      s.refill_inline();
      return true;
    }
    if (s.spend_inline()) [[likely]] return false;
    s.refill_inline();
    s.make_ready(frame);
    return true;
  }
  T await_resume() {
    if (is_cancelled_) [[unlikely]] throw_cancelled(*cancelled_);
    if (!child_->has_value) [[unlikely]] child_->throw_failure();
    return child_->value();
  }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override {
    return waits_for_child(*child_, n, into);
  }

 private:
  void cancel() noexcept override {
    task_state* const task = std::exchange(child_->joiner, nullptr);
    is_cancelled_ = true;
    cancelled_ = task;
    resume_later(*task);
  }

  bool is_cancelled_ = false;  // fits behind the base's last member
  union {
    child_result<T>* child_;
    task_state* cancelled_;  // itself, where the child has no joiner any more
  };
};

}  // namespace detail

// Refers to a child. `co_await handle` gives the child's value or throws its failure (task_cancelled
// where it was cancelled), once; one joiner at a time. Dropping the handle leaves the child running.
template <class T>
class join_handle {
 public:
  using awaiter_for_plait = detail::join_awaiter<T>;

  explicit join_handle(detail::child_result<T>& c) noexcept : child_(&c) {}
  join_handle(join_handle&& other) noexcept : child_(std::exchange(other.child_, nullptr)) {}
  join_handle& operator=(join_handle&& other) noexcept {
    std::swap(child_, other.child_);
    return *this;
  }
  ~join_handle() {
    if (child_ != nullptr) child_->drop();
  }

  bool done() const noexcept { return child_->returned; }
  bool const& done_flag() const noexcept { return child_->returned; }

  // What combinators await.
  child_value<T> as_operation() const noexcept { return child_value<T>(*child_); }

  // After done(): the value, without suspending.
  T take() const { return as_operation().result(); }

 private:
  friend awaiter_for_plait;

  detail::child_result<T>* child_;
};

namespace detail {

void note_failure(task_group& group, std::exception_ptr error) noexcept;

// The joiner goes on at once, as the awaiter of a task does: who spawns has been through the ready
// queue for every child, so that this starves nobody.
template <class T>
void child_result<T>::finish(root_frame* root) {
  auto& self = *static_cast<child_result*>(root);
  if (self.promise().result.failed()) [[unlikely]] return fail(self);
  task_state* const joiner = self.joiner;
  self.returned = true;
  self.has_value = true;
  task_group::of(*self.scope).remove(self);
  if (self.dropped) return self.destroy(&self);
  if (joiner != nullptr) {
#if PLAIT_BOUNDED_DEPTH
    resume_later(*joiner);
#else
    joiner->blocked = nullptr;
    count(&ledger::operations, -1);
    root_frame* const next = joiner->leaf == nullptr  // a case of a select
                                 ? joiner
                                 : static_cast<root_frame*>(joiner->leaf->handle().address());
    [[clang::musttail]] return next->resume(next);
#endif
  }
}

// The joiner is woken first, so that who joins the child in its own group gets the failure and not
// the cancellation that follows from it.
template <class T>
void child_result<T>::fail(child_result& self) noexcept {
  task_group& group = task_group::of(*self.scope);
  self.returned = true;
  if (self.joiner != nullptr) resume_later(*self.joiner);
  note_failure(group, self.promise().result.error());
  group.remove(self);
  if (self.dropped) self.destroy(&self);
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
[[gnu::always_inline]] inline auto task_group::spawn(Fn&& fn, Args&&... args) {
  auto& child = detail::make_child(this, std::forward<Fn>(fn), std::forward<Args>(args)...);
  add(child);  // not before it is whole: copying the arguments may throw
  return join_handle(child);
}

template <class Fn, class... Args>
  requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...) &&
           task_function<Fn&, std::decay_t<Args>...>
auto task_group::spawn(detail::named_callable<Fn>&& named, Args&&... args) {
  auto& child = detail::make_child(this, std::move(named.fn), std::forward<Args>(args)...);
  child.set_name(named.name);
  add(child);
  return join_handle(child);
}

// Runs fn(group, args...) and then waits for every child; gives the body's value.
template <class Fn, class... Args>
  requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...)
auto with_task_group(Fn&& fn, Args&&... args) {
  return detail::in_group(std::decay_t<Fn>(std::forward<Fn>(fn)),
                          detail::decay_copy(std::forward<Args>(args))...);
}

}  // namespace plait
