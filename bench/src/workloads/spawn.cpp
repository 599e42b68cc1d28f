#include <atomic>
#include <thread>

#include "contenders/contenders.hpp"
#include "method/window.hpp"
#include "models/coro.hpp"
#include "models/pools.hpp"
#include "workloads/spawn.hpp"
#include "workloads/units.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

rep_result thread_run(cell const& c) {
  long ran = 0;
  return run_spawns(c, 4, ran, [&] { std::thread([&] { ++ran; }).join(); });
}

// fork, _exit, waitpid.
rep_result process_run(cell const& c) {
  shared_array<long> ran(1);
  return run_spawns(c, 1, ran[0], [&] { reap_child(fork_child([&] { ++ran[0]; })); });
}

}  // namespace

rep_result finish_spawns(window const& w, long expected, long ran) {
  check_answer(ran == expected, "not every unit ran once");
  rep_result r = w.result();
  r.value = r.ops > 0 ? r.wall_s / r.ops : 0;
  return r;
}

rep_result run_spawns(cell const& c, int batch, long const& ran,
                      std::function<void()> const& spawn_and_join) {
  window w(c);
  long expected = 0;
  while (w.more()) {
    for (int i = 0; i < batch; ++i) spawn_and_join();
    expected += batch;
    w.add(batch);
  }
  return finish_spawns(w, expected, ran);
}

workload cost_spawn() {
  return {
      .id = "cost.spawn",
      .title = "create a unit that does nothing, let it run, join it: time for each",
      .operation = "unit",
      .figure = metric::time_per_op,
      .sizes = {1},
      .full_sizes = {1},
      .models = {{"coro", coro_spawn},
                 {"thread", thread_run},
                 {"pool", pool_spawn},
                 {"process", process_run},
                 {"ppool", ppool_spawn},
                 {"asio", asio_spawn}},
  };
}

}  // namespace plait::lab
