// Processes of a simulated world: programs of their own, over the same network, files and clock.
//
//     sim_process server = sim_process::spawn(serve, port);
//     co_await sleep_for(1s);
//     server.kill();                                  // as SIGKILL: its peers see what a kernel shows them
//     sim_exit const end = co_await server.join();    // end.how == sim_exit::kind::killed
//
// A process has a scheduler and descriptors of its own; what passes between two goes through sockets, and
// files. Its program ends as `run` ends: with its value, an exception, and no background task left. To be
// used by the programs of a running simulation alone; anywhere else `spawn` stops the program. Processes
// share the C++ program's memory: global state that survives a kill is the test's to reset.
#pragma once

#include <plait/detail/await_safe.hpp>
#include <plait/task.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace plait::io::sim {
class process;
}

namespace plait::testing {

// How a process ended.
struct sim_exit {
  enum class kind : std::uint8_t { exited, failed, killed };

  kind how = kind::exited;
  int status = 0;                      // what its program returned; 0 where that is void
  std::exception_ptr error = nullptr;  // that came out of it
  std::string what;                    // of that
};

class [[nodiscard("the process is killed with this object")]] sim_process {
 public:
  // Runs fn(args...), a task<> or task<int>, as a process. It begins a while later. What is spawned by a
  // process that is being killed is dead from the beginning.
  template <class Fn, class... Args>
    requires plait::detail::await_safe<Fn> && (plait::detail::await_safe<Args> && ...)
  static sim_process spawn(Fn&& fn, Args&&... args) {
    return sim_process(
        program<std::decay_t<Fn>, std::decay_t<Args>...>(std::forward<Fn>(fn), std::forward<Args>(args)...));
  }

  sim_process(sim_process&& other) noexcept = default;
  sim_process& operator=(sim_process&& other) noexcept;
  ~sim_process();  // kills it, if it still runs

  // Waits for its end, any number of times and from any number of tasks; a cancellation ends the wait
  // alone.
  task<sim_exit> join() const;

  // At once, whatever it does: its descriptors are closed, and nothing that it does from here on has any
  // effect on the world. Its frames are unwound before this returns: they are cancelled, also in shields
  // and cleanups, operations fail and times pass for it alone. So destructors run, and the processes that
  // they hold are killed as well. One that kills itself is unwound when its turn ends. Of one that has
  // ended nothing changes.
  void kill() noexcept;

  // As SIGSTOP and SIGCONT: nothing of it runs in between, while the world goes on with what it has asked
  // for. A timer that came due in between fires afterwards. One that pauses itself ends its turn first.
  void pause() noexcept;
  void resume() noexcept;

  bool has_ended() const noexcept;

 private:
  explicit sim_process(task<int> whole);

  template <class Fn, class... Args>
  static task<int> program(Fn fn, Args... args) {
    if constexpr (std::is_void_v<typename std::invoke_result_t<Fn&, Args...>::value_type>) {
      co_await std::invoke(fn, std::move(args)...);
      co_return 0;
    } else {
      co_return co_await std::invoke(fn, std::move(args)...);
    }
  }

  std::shared_ptr<io::sim::process> process_;
};

}  // namespace plait::testing
