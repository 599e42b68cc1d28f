#include "contenders/contenders.hpp"
#include "method/window.hpp"
#include "models/coro.hpp"
#include "workloads/spawn.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

[[gnu::noinline]] void call(long* ran) {
  ++*ran;
  asm volatile("" : : : "memory");
}

rep_result inline_run(cell const& c) {
  constexpr int batch = 4096;
  window w(c);
  long expected = 0;
  long ran = 0;
  while (w.more()) {
    for (int i = 0; i < batch; ++i) call(&ran);
    expected += batch;
    w.add(batch);
  }
  return finish_spawns(w, expected, ran);
}

}  // namespace

workload cost_await() {
  return {
      .id = "cost.await",
      .title = "call a function and get its result, as a coroutine that is awaited: time for each",
      .operation = "call",
      .figure = metric::time_per_op,
      .sizes = {1},
      .full_sizes = {1},
      .models = {{"inline", inline_run}, {"coro", coro_await}, {"asio", asio_await}},
  };
}

}  // namespace plait::lab
