#include "micro/micro.hpp"
#include "micro/raw_coro.hpp"

namespace plait::lab::micro {

namespace {

using raw::job;
using raw::task;

[[gnu::noinline]] task<int> child(int i) { co_return i; }
task<int> visible_child(int i) { co_return i; }

task<> await_many(double& ns) {
  stopwatch const watch;
  long sum = 0;
  for (long i = 0; i < await_count; ++i) sum += co_await child(static_cast<int>(i & 3));
  ns = watch.per(await_count);
  keep(sum);
}

task<> await_many_visible(double& ns) {
  stopwatch const watch;
  long sum = 0;
  for (long i = 0; i < await_count; ++i) sum += co_await visible_child(static_cast<int>(i & 3));
  ns = watch.per(await_count);
  keep(sum);
}

task<int> fib(int n) {
  if (n < 2) co_return n;
  int const a = co_await fib(n - 1);
  int const b = co_await fib(n - 2);
  co_return a + b;
}

task<> fib_once(double& ns) {
  stopwatch const watch;
  int const value = co_await fib(fib_of);
  ns = watch.per(fib_calls);
  require(value == fib_value, "fib");
}

[[gnu::noinline]] job noop(long& ran) {
  ++ran;
  co_return;
}

task<> spawn_join(double& ns) {
  long ran = 0;
  stopwatch const watch;
  for (long i = 0; i < spawn_count; ++i) {
    job j = noop(ran);
    co_await j;
  }
  ns = watch.per(spawn_count);
  require(ran == spawn_count, "spawn");
}

task<> spawn_join_1000(double& ns) {
  long ran = 0;
  std::vector<job> jobs;
  jobs.reserve(1000);
  stopwatch const watch;
  for (long i = 0; i < spawn_count / 1000; ++i) {
    for (int k = 0; k < 1000; ++k) jobs.push_back(noop(ran));
    for (job& j : jobs) co_await j;
    jobs.clear();
  }
  ns = watch.per(spawn_count);
  require(ran == spawn_count, "spawn");
}

[[gnu::noinline]] job spinner(long times) {
  for (long i = 0; i < times; ++i) co_await raw::yield{};
}

task<> yields(double& ns, long tasks) {
  std::vector<job> jobs;
  for (long i = 0; i < tasks; ++i) jobs.push_back(spinner(yield_count / tasks));
  stopwatch const watch;
  for (job& j : jobs) co_await j;
  ns = watch.per(static_cast<double>(yield_count));
}

task<> timers(double& ns) {
  deadlines when;
  std::vector<raw::timer> others(other_timers);
  for (raw::timer& t : others) {
    t.when = now_ns() + when.next();
    raw::here->timers.arm(&t);
  }
  raw::timer one;
  stopwatch const watch;
  for (long i = 0; i < timer_count; ++i) {
    one.when = now_ns() + when.next();
    raw::here->timers.arm(&one);
    raw::here->timers.cancel(&one);
  }
  ns = watch.per(timer_count);
  co_return;
}

[[gnu::noinline]] job parked(raw::event& gate, long& woken) {
  co_await raw::event::wait(gate);
  ++woken;
}

task<> memory(double& bytes) {
  raw::event gate;
  long woken = 0;
  double const before = resident_bytes();
  for (long i = 0; i < parked_count; ++i) parked(gate, woken).drop();
  co_await raw::yield{};
  bytes = (resident_bytes() - before) / parked_count;
  gate.set();
  co_await raw::yield{};
  require(woken == parked_count, "parked tasks");
}

using raw::measure;

}  // namespace

std::vector<bench> raw_benches() {
  return {{"await", measure<await_many>},
          {"await_inlinable", measure<await_many_visible>},
          {"fib", measure<fib_once>},
          {"spawn_join", measure<spawn_join>},
          {"spawn_1000_group", measure<spawn_join_1000>},
          {"spawn_1000_handles", measure<spawn_join_1000>},
          {"yield_2", measure<yields, 2l>},
          {"yield_10k", measure<yields, 10'000l>},
          {"timer", measure<timers>},
          {"memory", measure<memory>}};
}

}  // namespace plait::lab::micro
