// The results of several tasks, in the order in which they come.
//
//     co_await plait::as_completed(std::move(fetches), [&](plait::completed<page>& one) {
//       show(one.index, one.value());        // throws where that task failed
//     });
//
// fn is called for each task when it has ended, one call after the other, and may be a coroutine; the tasks
// go on meanwhile. A failure is that task's own and disturbs no other: fn sees it, by value() or failed().
// Where fn returns a bool, or a task of one, false is enough: the other tasks are cancelled. as_completed
// itself returns when all have ended, so that none is left behind; what fn throws comes out of it, after
// cancelling the others too. One scheduler's thread. Cancelling it cancels the tasks.
#pragma once

#include <plait/channel/channel.hpp>
#include <plait/detail/await_safe.hpp>
#include <plait/detail/wants_more.hpp>
#include <plait/task_group.hpp>
#include <plait/when.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace plait {

template <class T>
class completed {
 public:
  explicit completed(std::size_t of) noexcept : index(of) {}

  std::size_t index;  // of the task, among those that were given

  bool failed() const noexcept { return error_ != nullptr; }
  std::exception_ptr error() const noexcept { return error_; }
  // What the task returned, or threw.
  std::add_lvalue_reference_t<T> value() {
    if (error_ != nullptr) std::rethrow_exception(error_);
    if constexpr (!std::is_void_v<T>) return *value_;
  }

  // as_completed's.
  template <class... V>
  void succeeded(V&&... value) {
    value_.emplace(std::forward<V>(value)...);
  }
  void failed_with(std::exception_ptr why) noexcept { error_ = std::move(why); }

 private:
  std::optional<value_or_unit_t<T>> value_;
  std::exception_ptr error_;
};

namespace detail {

template <class T>
task<> run_and_tell(channel<completed<T>>& done, std::size_t index, task<T> body) {
  completed<T> one(index);
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(body);
      one.succeeded();
    } else {
      T value = co_await std::move(body);
      one.succeeded(std::move(value));
    }
  } catch (cancelled const&) {
    throw;
  } catch (...) {
    one.failed_with(std::current_exception());
  }
  static_cast<void>(done.try_send(std::move(one)));  // there is room for all
}

template <class T, class Fn>
task<> start_and_show(task_group& group, std::vector<task<T>>& tasks, channel<completed<T>>& done, Fn& fn) {
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    group.spawn(run_and_tell<T>, std::ref(done), i, std::move(tasks[i]));
  }
  for (std::size_t shown = 0; shown < tasks.size(); ++shown) {
    std::optional<completed<T>> one = co_await done.receive();
    bool const more = co_await wants_more(fn, *one);
    if (!more) co_return group.cancel("as_completed was told that it is enough");
  }
}

template <class T, class Fn>
task<> show_in_order_of_completion(std::vector<task<T>> tasks, Fn fn) {
  auto done = channel<completed<T>>::bounded(tasks.size(), "as_completed");
  co_await with_task_group(start_and_show<T, Fn>, std::ref(tasks), std::ref(done), std::ref(fn));
}

}  // namespace detail

// `tasks`: tasks or operations of one type.
template <class A, class Fn>
  requires detail::await_safe<Fn> && (!detail::operation_handle<A>)
task<> as_completed(std::vector<A> tasks, Fn&& fn) {
  return detail::show_in_order_of_completion(detail::as_tasks(std::move(tasks)),
                                             std::decay_t<Fn>(std::forward<Fn>(fn)));
}

}  // namespace plait
