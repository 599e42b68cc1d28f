// on: a task of one scheduler awaits a task on another.
//
//     int const n = co_await plait::on(other, count_words, std::move(text));
//
// fn(args...) is called on the other scheduler's thread and its task runs there, as one of its background
// tasks; the awaiting task goes on where it was, with the value or the exception. Callable and arguments
// are moved or copied into the operation, and stay there until the task has ended; it may change them.
// Results cross threads by value. Nothing of the awaiting task's scopes goes along but their
// cancellation: it cancels the task over there, and the await ends when that has ended. Completion wins.
// A task that is cancelled because its scheduler ends throws task_cancelled here.
//
// The other scheduler must run, and outlive the await: plait's runtime.hpp sees to both. It may be the
// scheduler of the awaiting task. A round trip costs two posts, and a wake-up for each side that sleeps.
#pragma once

#include <plait/cancel.hpp>
#include <plait/detail/await_safe.hpp>
#include <plait/detail/result_slot.hpp>
#include <plait/operation.hpp>
#include <plait/scheduler.hpp>
#include <plait/task.hpp>
#include <plait/task_group.hpp>

#include <atomic>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace plait {

namespace detail {

// The part of both threads that knows no types.
//
//   home    start: posts trip_             cancel: sets cancel_asked, posts cancel_call_ unless ended
//   there   trip_: spawns the body         cancel_call_: cancels the body's scope
//           body ends: sets ended, posts trip_ home; where a cancel_call_ is still on its way, that one
//           posts it, since the operation may be gone as soon as it is home
class away_operation : public operation {
 public:
  bool start(task_state& task);
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 protected:
  explicit away_operation(scheduler& there) noexcept : there_(&there) {}
  away_operation(away_operation&& other) noexcept : operation(std::move(other)), there_(other.there_) {}

  // On the other thread. May throw, and then nothing was spawned.
  virtual void spawn_body(task_group& background) = 0;
  virtual void fail(std::exception_ptr error) noexcept = 0;
  virtual bool was_cancelled() const noexcept = 0;
  // What the body does last: the operation may be gone after it.
  void end_there() noexcept;
  cancel_scope& scope() noexcept { return scope_; }
  [[noreturn]] static void throw_ended_there();

 private:
  struct trip : remote_call {
    trip(away_operation& of_op, run_fn what) noexcept : remote_call(what), op(of_op) {}
    away_operation& op;
  };

  void cancel() noexcept override;
  static void arrive_there(remote_call& call) noexcept;
  static void arrive_home(remote_call& call) noexcept;
  static void arrive_cancel(remote_call& call) noexcept;

  static constexpr unsigned ended = 1;         // the body has, and posts or has posted
  static constexpr unsigned cancel_asked = 2;  // cancel_call_ was posted, unless `ended` was there first

  scheduler* there_;
  scheduler* home_ = nullptr;
  std::atomic<unsigned> state_{0};
  bool cancel_arrived_ = false;  // there
  trip trip_{*this, &arrive_there};
  trip cancel_call_{*this, &arrive_cancel};
  cancel_scope scope_;  // there
};

template <class R, class Fn, class... Args>
class away final : public away_operation {
 public:
  template <class F, class... A>
  explicit away(scheduler& there, F&& fn, A&&... args)
      : away_operation(there), fn_(std::forward<F>(fn)), args_(std::forward<A>(args)...) {}
  away(away&& other)
      : away_operation(std::move(other)), fn_(std::move(other.fn_)), args_(std::move(other.args_)) {}

  R result() {
    if (was_cancelled()) [[unlikely]] throw_ended_there();
    return result_.take();
  }

 private:
  void spawn_body(task_group& background) override { background.spawn(&body, std::ref(*this)); }
  void fail(std::exception_ptr error) noexcept override { result_.fail(std::move(error)); }
  bool was_cancelled() const noexcept override {
    return result_.failed() && is_cancelled(result_.error());
  }

  static task<> body(away& self) {
    task_state& here = co_await this_task_state();
    try {
      scope_entry const entry(self.scope(), here);
      if constexpr (std::is_void_v<R>) {
        co_await self.call();
      } else {
        self.result_.emplace(co_await self.call());
      }
    } catch (...) {
      self.result_.fail_with_current();
    }
    self.end_there();
  }
  task<R> call() {
    return std::apply([this](auto&... args) { return std::invoke(fn_, std::move(args)...); }, args_);
  }

  [[no_unique_address]] Fn fn_;
  [[no_unique_address]] std::tuple<Args...> args_;
  result_slot<R> result_;
};

}  // namespace detail

template <class Fn, class... Args>
  requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...) &&
           task_function<std::decay_t<Fn>&, std::decay_t<Args>...>
[[nodiscard("co_await this: the task starts when it is awaited")]] auto on(scheduler& there, Fn&& fn,
                                                                            Args&&... args) {
  using value = detail::task_value_t<std::decay_t<Fn>&, std::decay_t<Args>...>;
  return detail::away<value, std::decay_t<Fn>, std::decay_t<Args>...>(there, std::forward<Fn>(fn),
                                                                      std::forward<Args>(args)...);
}

namespace detail {

template <class R, class Fn, class... Args>
task<R> await_away(away<R, Fn, Args...> op) {
  co_return co_await std::move(op);
}

}  // namespace detail

// A child of this group that runs on another scheduler: the handle gives its value, cancelling the group
// cancels it, and the group ends after it.
template <class Fn, class... Args>
  requires detail::await_safe<Fn> && (detail::await_safe<Args> && ...) &&
           task_function<std::decay_t<Fn>&, std::decay_t<Args>...>
auto spawn_on(task_group& group, scheduler& there, Fn&& fn, Args&&... args) {
  using value = detail::task_value_t<std::decay_t<Fn>&, std::decay_t<Args>...>;
  return group.spawn(&detail::await_away<value, std::decay_t<Fn>, std::decay_t<Args>...>,
                     on(there, std::forward<Fn>(fn), std::forward<Args>(args)...));
}

}  // namespace plait
