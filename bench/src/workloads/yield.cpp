#include <atomic>
#include <thread>

#include "contenders/contenders.hpp"
#include "method/child.hpp"
#include "method/window.hpp"
#include "models/coro.hpp"
#include "workloads/spawn.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

// Two threads on one CPU hand a token to and fro, each asleep while the other has it: what a switch
// between threads costs that wait for each other.
rep_result thread_run(cell const& c) {
  pin_to(0);
  std::atomic<int> turn = 0;
  std::atomic<bool> over = false;
  long ran = 0;
  std::jthread const other([&] {
    for (;;) {
      turn.wait(0);
      if (over) return;
      ++ran;
      turn = 0;
      turn.notify_one();
    }
  });
  constexpr int batch = 64;
  window w(c);
  long expected = 0;
  while (w.more()) {
    for (int i = 0; i < batch; ++i) {
      ++ran;
      turn = 1;
      turn.notify_one();
      turn.wait(1);
    }
    expected += 2 * batch;
    w.add(2 * batch);
  }
  over = true;
  turn = 1;
  turn.notify_one();
  return finish_spawns(w, expected, ran);
}

}  // namespace

workload cost_yield() {
  return {
      .id = "cost.yield",
      .title = "two units take turns: time for each switch",
      .operation = "switch",
      .figure = metric::time_per_op,
      .sizes = {1},
      .full_sizes = {1},
      .models = {{"coro", coro_yield}, {"thread", thread_run}, {"asio", asio_yield}},
  };
}

}  // namespace plait::lab
