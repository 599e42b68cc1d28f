// Several schedulers, each on a thread of its own with a driver of its own: thread per core.
//
//     plait::task<> program(plait::runtime& rt) { ... co_await plait::on(rt.at(1), serve, port); ... }
//     int main() { plait::runtime rt({.threads = 4}); rt.run(program, std::ref(rt)); }
//
// Scheduler 0 belongs to the thread that makes the runtime, calls `run` and destroys it; the others have
// threads of their own in the meantime. A task stays on the scheduler on which it was started: crossing is
// explicit, by `on` and `spawn_on`. What belongs to one scheduler (sockets, locks, channels) is used by its
// tasks alone.
//
// When the task that `run` was given has ended, the background tasks of every scheduler are cancelled and
// awaited, those too that are spawned meanwhile, and `run` gives the task's value or rethrows its
// exception. It may be called again. Destruction does the same.
#pragma once

#include <plait/driver.hpp>
#include <plait/on.hpp>
#include <plait/run.hpp>
#include <plait/scheduler.hpp>

#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace plait {

struct runtime_options {
  unsigned threads = 0;             // schedulers; 0: usable_cpus()
  driver_options driver = {};       // of each
  std::string_view name = "plait";  // the threads are called name-1, name-2, ...
};

class runtime {
 public:
  // Throws std::system_error where a driver or a thread is refused.
  explicit runtime(runtime_options options = {});
  ~runtime();
  runtime(runtime const&) = delete;
  runtime& operator=(runtime const&) = delete;

  unsigned size() const noexcept;
  // Of a number below size(). From any thread.
  scheduler& at(unsigned number) noexcept;
  // Each in turn: where the next of many tasks alike might go. From any thread.
  scheduler& next() noexcept;

  // Runs fn(args...) on scheduler 0, on this thread.
  template <class Fn, class... Args>
  auto run(Fn&& fn, Args&&... args) {
    struct closing {
      explicit closing(runtime& which) noexcept : of(which) {}
      ~closing() { of.close_background(); }
      runtime& of;
    };
    scheduler_binding const bound(at(0));
    closing const at_end(*this);
    return run_on(at(0), std::invoke(std::forward<Fn>(fn), std::forward<Args>(args)...));
  }

  // A background task on a scheduler, from any thread: a failure goes to its error hook. What copying
  // callable and arguments throws comes out here.
  template <class Fn, class... Args>
    requires task_function<std::decay_t<Fn>&, std::decay_t<Args>...>
  void start(unsigned number, Fn&& fn, Args&&... args);

 private:
  class impl;

  void close_background() noexcept;

  std::unique_ptr<impl> impl_;
};

namespace detail {

// Frees itself when it has run.
template <class Fn, class... Args>
struct start_call : remote_call {
  template <class F, class... A>
  explicit start_call(F&& f, A&&... a)
      : remote_call(&arrive), fn(std::forward<F>(f)), args(std::forward<A>(a)...) {}

  static void arrive(remote_call& call) noexcept {
    std::unique_ptr<start_call> const self(static_cast<start_call*>(&call));
    scheduler& here = scheduler::current();
    try {
      std::apply([&](Args&... each) { here.background().spawn(std::move(self->fn), std::move(each)...); },
                 self->args);
    } catch (...) {
      here.on_unhandled(std::current_exception());
    }
  }

  Fn fn;
  std::tuple<Args...> args;
};

}  // namespace detail

template <class Fn, class... Args>
  requires task_function<std::decay_t<Fn>&, std::decay_t<Args>...>
void runtime::start(unsigned number, Fn&& fn, Args&&... args) {
  using call = detail::start_call<std::decay_t<Fn>, std::decay_t<Args>...>;
  auto made = std::make_unique<call>(std::forward<Fn>(fn), std::forward<Args>(args)...);
  at(number).post(*made.release());
}

// From main, as run(argc, argv, fn) does it, on several schedulers: fn(runtime) or fn(); an int that its
// task gives is the exit status.
template <class Fn>
int run(int argc, char** argv, Fn fn, runtime_options options) {
  return detail::run_in_main(argc, argv, [&] {
    runtime rt(options);
    if constexpr (std::is_invocable_v<Fn&, runtime&>) {
      return rt.run(fn, std::ref(rt));
    } else {
      return rt.run(fn);
    }
  });
}

}  // namespace plait
