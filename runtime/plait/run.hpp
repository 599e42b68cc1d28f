// The way in: runs a task, and everything it spawns, on this thread.
//
//     plait::task<int> program();
//     int main(int argc, char** argv) { return plait::run(argc, argv, program); }
//
// With argc and argv, `run` must be the first statement of main: a process pool starts this same
// program again for its workers, and `run` is where they leave main's path. It prints an exception
// that nobody caught and returns 1.
#pragma once

#include <plait/scheduler.hpp>
#include <plait/task.hpp>
#include <plait/task_group.hpp>

#include <functional>
#include <span>
#include <type_traits>
#include <utility>

namespace plait {

namespace detail {

// In a worker process: serves, and exits with the answer. Elsewhere notes that processes may be
// started, and returns.
void enter_process_role(int argc, char** argv);

int report_uncaught() noexcept;

// What main does around body(), whose int is the exit status.
template <class Body>
int run_in_main(int argc, char** argv, Body body) {
  enter_process_role(argc, argv);
  try {
    if constexpr (std::is_void_v<decltype(body())>) {
      body();
      return 0;
    } else {
      return body();
    }
  } catch (...) {
    return report_uncaught();
  }
}

}  // namespace detail

// On a scheduler of the caller's, that runs nothing else: gives the task's value or rethrows its
// exception, when the background tasks have ended as well.
template <class T>
T run_on(scheduler& s, task<T> main_task) {
  scheduler_binding const bound(s);
  task_group group(s.root_scope(), task_group::on_failure::cancel_siblings);
  auto const handle = group.spawn(detail::hand_over<T>(), std::move(main_task));
  s.run_until(handle.done_flag());
  s.close_background();
  return handle.take();
}

// Makes a driver and a scheduler, runs fn(), gives its value or rethrows its exception.
template <class Fn>
  requires task_function<Fn&>
auto run(Fn fn, driver_options options = {}) {
  scheduler s(make_driver(options));
  return run_on(s, std::invoke(fn));
}

// As described above. fn is called with (argc, argv) or without arguments; an int that it returns
// is the exit status.
template <class Fn>
int run(int argc, char** argv, Fn fn) {
  auto const call = [&] {
    if constexpr (std::is_invocable_v<Fn&, int, char**>) {
      return std::invoke(fn, argc, argv);
    } else {
      return std::invoke(fn);
    }
  };
  return detail::run_in_main(argc, argv, [&] { return run(call); });
}

}  // namespace plait
