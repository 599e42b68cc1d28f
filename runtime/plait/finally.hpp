// finally: asynchronous cleanup on every way out, since C++ cannot await in a catch block.
//
//     co_await finally([&] { return transfer(connection); },
//                      [&] { return connection.close(); }, {.deadline = 2s});
//
// The cleanup runs after the body whether that returned, threw or was cancelled, and runs shielded:
// what lies outside cannot cancel it, and waits for it. So it has a deadline, after which its
// awaits throw `cancelled` and it counts as failed with timed_out. Where there is no memory for its
// frame it cannot begin, and counts as failed with std::bad_alloc.
//
// Gives the body's value. The body's exception, a cancellation included, wins: when both throw, the
// cleanup's goes to scheduler::on_unhandled. When the cleanup alone throws, that is what is thrown.
#pragma once

#include <plait/cancel.hpp>
#include <plait/detail/await_safe.hpp>
#include <plait/detail/result_slot.hpp>
#include <plait/scheduler.hpp>
#include <plait/task.hpp>

#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

namespace plait {

struct finally_options {
  duration deadline = std::chrono::seconds(5);  // of the cleanup, from its start; max() for none
};

namespace detail {

template <class Body, class Cleanup>
task<task_value_t<Body>> with_cleanup(Body body, Cleanup cleanup, duration limit) {
  using value = task_value_t<Body>;
  result_slot<value> outcome;
  try {
    if constexpr (std::is_void_v<value>) {
      co_await std::invoke(body);
    } else {
      outcome.emplace(co_await std::invoke(body));
    }
  } catch (...) {
    outcome.fail(std::current_exception());
  }
  std::exception_ptr second;
  try {
    co_await shielded(limit, std::ref(cleanup));
  } catch (...) {
    second = std::current_exception();
  }
  if (second != nullptr) {
    if (outcome.error() == nullptr) std::rethrow_exception(second);
    scheduler::current().on_unhandled(second);
  }
  co_return outcome.take();
}

}  // namespace detail

// body() and cleanup() give tasks; both callables are moved or copied and live until the end.
template <class Body, class Cleanup>
  requires detail::await_safe<Body> && detail::await_safe<Cleanup> &&
           task_function<std::decay_t<Body>&> && task_function<std::decay_t<Cleanup>&>
auto finally(Body&& body, Cleanup&& cleanup, finally_options options = {}) {
  return detail::with_cleanup(std::decay_t<Body>(std::forward<Body>(body)),
                              std::decay_t<Cleanup>(std::forward<Cleanup>(cleanup)),
                              options.deadline);
}

}  // namespace plait
