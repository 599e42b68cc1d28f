#include <vector>

#include <plait/detail/timer_wheel.hpp>
#include <plait/sleep.hpp>
#include <plait/task.hpp>
#include <plait/task_group.hpp>

#include "micro/micro.hpp"
#include "micro/plait_measure.hpp"

namespace plait::lab::micro {

namespace {

[[gnu::noinline]] task<int> child(int i) { co_return i; }
task<int> visible_child(int i) { co_return i; }

task<double> await_many() {
  stopwatch const watch;
  long sum = 0;
  for (long i = 0; i < await_count; ++i) sum += co_await child(static_cast<int>(i & 3));
  double const ns = watch.per(await_count);
  keep(sum);
  co_return ns;
}

task<double> await_many_visible() {
  stopwatch const watch;
  long sum = 0;
  for (long i = 0; i < await_count; ++i) sum += co_await visible_child(static_cast<int>(i & 3));
  double const ns = watch.per(await_count);
  keep(sum);
  co_return ns;
}

task<int> fib(int n) {
  if (n < 2) co_return n;
  int const a = co_await fib(n - 1);
  int const b = co_await fib(n - 2);
  co_return a + b;
}

task<double> fib_once() {
  stopwatch const watch;
  int const value = co_await fib(fib_of);
  double const ns = watch.per(fib_calls);
  require(value == fib_value, "fib");
  co_return ns;
}

[[gnu::noinline]] task<> noop(long* ran) {
  ++*ran;
  co_return;
}

task<double> join_each(task_group& group) {
  long ran = 0;
  stopwatch const watch;
  for (long i = 0; i < spawn_count; ++i) {
    auto const handle = group.spawn(noop, &ran);
    co_await handle;
  }
  double const ns = watch.per(spawn_count);
  require(ran == spawn_count, "spawn");
  co_return ns;
}

task<double> join_group(task_group& group) {
  long ran = 0;
  stopwatch const watch;
  for (long i = 0; i < spawn_count / 1000; ++i) {
    for (int k = 0; k < 1000; ++k) group.spawn(noop, &ran);
    co_await group.join();
  }
  double const ns = watch.per(spawn_count);
  require(ran == spawn_count, "spawn");
  co_return ns;
}

task<double> join_handles(task_group& group) {
  long ran = 0;
  std::vector<join_handle<void>> handles;
  handles.reserve(1000);
  stopwatch const watch;
  for (long i = 0; i < spawn_count / 1000; ++i) {
    for (int k = 0; k < 1000; ++k) handles.push_back(group.spawn(noop, &ran));
    for (auto const& handle : handles) co_await handle;
    handles.clear();
  }
  double const ns = watch.per(spawn_count);
  require(ran == spawn_count, "spawn");
  co_return ns;
}

[[gnu::noinline]] task<> spinner(long times) {
  for (long i = 0; i < times; ++i) co_await yield();
}

task<double> yields(task_group& group, long tasks) {
  for (long i = 0; i < tasks; ++i) group.spawn(spinner, yield_count / tasks);
  stopwatch const watch;
  co_await group.join();
  co_return watch.per(static_cast<double>(yield_count));
}

// With the loop's clock, as an operation arms its timer.
task<double> timers() {
  struct quiet_timer : detail::timer {
    quiet_timer() : timer([](detail::timer&) noexcept {}) {}
  };
  deadlines when;
  scheduler& here = scheduler::current();
  auto const next = [&] { return deadline_after(here.turn_time(), duration(when.next())); };
  std::vector<quiet_timer> others(other_timers);
  for (quiet_timer& t : others) here.timers().arm(t, next());
  quiet_timer one;
  stopwatch const watch;
  for (long i = 0; i < timer_count; ++i) {
    here.timers().arm(one, next());
    here.timers().cancel(one);
  }
  double const ns = watch.per(timer_count);
  for (quiet_timer& t : others) here.timers().cancel(t);
  co_return ns;
}

[[gnu::noinline]] task<> parked(long* woken) {
  co_await yield();
  ++*woken;
}

// When this task's turn comes again, all others stand at their yield: the smallest operation there
// is, so that what is measured is the task.
task<double> memory(task_group& group) {
  long woken = 0;
  double const before = resident_bytes();
  for (long i = 0; i < parked_count; ++i) group.spawn(parked, &woken);
  co_await yield();
  double const bytes = (resident_bytes() - before) / parked_count;
  require(woken == 0, "tasks that are suspended");
  co_await group.join();
  require(woken == parked_count, "parked tasks");
  co_return bytes;
}

}  // namespace

std::vector<bench> plait_benches() {
  return {{"await", measure<await_many>},
          {"await_inlinable", measure<await_many_visible>},
          {"fib", measure<fib_once>},
          {"spawn_join", measure_in_group<join_each>},
          {"spawn_1000_group", measure_in_group<join_group>},
          {"spawn_1000_handles", measure_in_group<join_handles>},
          {"yield_2", measure_in_group<yields, 2l>},
          {"yield_10k", measure_in_group<yields, 10'000l>},
          {"timer", measure<timers>},
          {"memory", measure_in_group<memory>}};
}

}  // namespace plait::lab::micro
