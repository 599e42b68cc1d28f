// Every scenario goes wrong at every await, in each way, and at every allocation. The names of runs
// in a failure can be given to PLAIT_SWEEP (testing/sweep.hpp); only the number of runs is then
// wrong.
#include <plait/testing/sweep.hpp>

#include "scenarios.hpp"

#include "support/allocate.hpp"
#include "support/count.hpp"
#include "support/death.hpp"

#include <plait/detail/frame_pool.hpp>
#include <plait/detail/ledger.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/when.hpp>

#include <catch2/catch.hpp>

#include <new>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using plait::task;
using plait::testing::await_action;
using plait::testing::for_each_allocation;
using plait::testing::for_each_await;
using plait::testing::run_report;
using plait::testing::scenario;
using plait::testing::sweep_result;

namespace {

// Every scenario by itself and in each surrounding.
template <class Each>
long each_scenario(Each each) {
  long runs = 0;
  auto const add = [&](scenario const& s) {
    sweep_result const result = each(s);
    CHECK(result.broken == "");
    runs += result.runs;
  };
  for (scenario const& s : plait::test::scenarios()) {
    add(s);
    for (scenario const& within : plait::test::surrounded(s)) add(within);
  }
  for (scenario const& s : plait::test::thread_scenarios()) add(s);
  return runs;
}

void sweep_awaits(await_action action) {
  long const runs = each_scenario([&](scenario const& s) { return for_each_await(s, action); });
  CHECK(runs >= 8'000);
  plait::test::count("await sweep runs", runs);
}

bool says(sweep_result const& result, std::string const& text) {
  return result.broken.find(text) != std::string::npos;
}

task<> three_awaits() {
  for (int i = 0; i < 2; ++i) co_await plait::yield();
  co_await plait::sleep_for(1ms);
}

int left_open = 0;

task<> leaves_open() {
  ++left_open;
  co_await plait::yield();
  --left_open;
}

task<> swallows_errors() {
  try {
    co_await plait::yield();
  } catch (std::exception const&) {
  }
}

task<> turns_errors_into_others() {
  try {
    co_await plait::yield();
  } catch (std::exception const&) {
    throw std::out_of_range("an error of its own");
  }
}

// What is to be done is forgotten with the memory for it.
task<> loses_work() {
  try {
    plait::test::allocate_something();
    left_open = 0;
  } catch (std::bad_alloc const&) {
    left_open = 1;
  }
  co_await plait::yield();
}

void nothing_is_open(run_report const&) {
  if (std::exchange(left_open, 0) != 0) throw std::runtime_error("left open");
}

void terminates_without_memory() noexcept { plait::test::allocate_something(); }

}  // namespace

TEST_CASE("sweep: one run for each await") {
  for (await_action const a : plait::testing::all_await_actions) {
    sweep_result const result = for_each_await({.name = "three awaits", .body = three_awaits}, a);
    CHECK(result.broken == "");
    CHECK(result.runs == 3);
  }
}

TEST_CASE("sweep: the awaits of operations in a race have their runs too") {
  auto const race = []() -> task<> {
    auto const got = co_await plait::when_any(plait::sleep_for(2ms), plait::sleep_for(1ms));
    static_cast<void>(got);
  };
  for (await_action const a : plait::testing::all_await_actions) {
    sweep_result const result = for_each_await({.name = "race", .body = race}, a);
    CHECK(result.broken == "");
    CHECK(result.runs == 2);
  }
}

TEST_CASE("sweep: it says what did not hold, in which run, at which line, and how to repeat it") {
  scenario const s{.name = "leaves open", .body = leaves_open, .check = nothing_is_open};
  sweep_result const result = for_each_await(s, await_action::cancel);
  CHECK(result.runs == 0);
  CHECK(says(result, "in run leaves open/cancel/1 (the await at "));
  CHECK(says(result, "sweep.cpp:"));
  CHECK(says(result, "): left open\n  repeat it alone with PLAIT_SWEEP='leaves open/cancel/1'"));
}

TEST_CASE("sweep: it notices an error that is lost, unless the scenario handles errors") {
  scenario s{.name = "swallows", .body = swallows_errors};
  CHECK(says(for_each_await(s, await_action::exception), "the exception was lost"));
  CHECK(says(for_each_await(s, await_action::bad_alloc), "the exception was lost"));
  CHECK(for_each_await(s, await_action::cancel).broken == "");
  s.handles_errors = true;
  CHECK(for_each_await(s, await_action::exception).broken == "");
}

TEST_CASE("sweep: it notices an error that has become another") {
  scenario const s{.name = "other error", .body = turns_errors_into_others};
  CHECK(says(for_each_await(s, await_action::exception),
             "another exception came out: an error of its own"));
}

TEST_CASE("sweep: it notices work that was lost where an allocation failed") {
  scenario const s{.name = "loses work", .body = loses_work, .check = nothing_is_open};
  CHECK(says(for_each_allocation(s), "left open"));
}

TEST_CASE("sweep: it notices a scenario that fails by itself, or awaits otherwise each time") {
  auto const fails = []() -> task<> {
    co_await plait::yield();
    throw std::runtime_error("by itself");
  };
  CHECK(says(for_each_await({.name = "fails", .body = fails}, await_action::cancel),
             "it fails by itself: by itself"));
  int times = 0;
  auto const changes = [&times]() -> task<> {
    for (int i = ++times; i < 3; ++i) co_await plait::yield();
  };
  CHECK(says(for_each_await({.name = "changes", .body = changes}, await_action::cancel),
             "it does not reach the same awaits each time"));
}

TEST_CASE("sweep: it notices timers that are left, and frames where assertions are on") {
  plait::detail::timer timer([](plait::detail::timer&) noexcept {});
  auto const arms = [&timer]() -> task<> {
    auto& s = plait::scheduler::current();
    s.timers().arm(timer, s.now() + 1h);
    co_await plait::yield();
  };
  CHECK(
      says(for_each_await({.name = "arms", .body = arms}, await_action::cancel), "1 timers left"));
  plait::detail::count(&plait::detail::ledger::timers, -1);  // its wheel is gone
#if PLAIT_ASSERTIONS
  void* block = nullptr;
  auto const leaks = [&block]() -> task<> {
    block = plait::detail::allocate_frame(128);
    co_await plait::yield();
  };
  CHECK(says(for_each_await({.name = "leaks", .body = leaks}, await_action::cancel),
             "1 coroutine frames left; 128 bytes of frames left"));
  plait::detail::free_frame(block, 128);
#endif
}

TEST_CASE("sweep: a run that does not end, or ends the program, is named") {
  auto const endless = plait::test::in_child([] {
    auto const spins = []() -> task<> {
      for (;;) {
        try {
          co_await plait::yield();
        } catch (...) {
        }
      }
    };
    static_cast<void>(for_each_await({.name = "spins", .body = spins}, await_action::cancel));
  });
  CHECK(endless.aborted());
  CHECK(endless.says("does not end"));
  CHECK(endless.says("in the sweep's run spins/cancel/0"));
  auto const terminates = plait::test::in_child([] {
    auto const body = []() -> task<> {
      terminates_without_memory();
      co_return;
    };
    static_cast<void>(for_each_allocation({.name = "terminates", .body = body}));
  });
  CHECK(terminates.aborted());
  CHECK(terminates.says("the program ends in the sweep's run terminates/allocation/"));
}

TEST_CASE("sweep: there are scenarios enough, and no two of one name") {
  auto const all = plait::test::scenarios();
  CHECK(all.size() >= 60);
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) CHECK(all[i].name != all[k].name);
  }
}

TEST_CASE("sweep: every scenario is cancelled at every await") {
  sweep_awaits(await_action::cancel);
}

TEST_CASE("sweep: every scenario is cancelled while it is suspended at every await") {
  sweep_awaits(await_action::cancel_suspended);
}

TEST_CASE("sweep: every scenario's deadline passes at every await") {
  sweep_awaits(await_action::timeout);
}

TEST_CASE("sweep: every await of every scenario throws an error") {
  sweep_awaits(await_action::exception);
}

TEST_CASE("sweep: every await of every scenario throws bad_alloc") {
  sweep_awaits(await_action::bad_alloc);
}

TEST_CASE("sweep: every allocation of every scenario fails") {
  long const runs = each_scenario([](scenario const& s) { return for_each_allocation(s); });
  CHECK(runs >= (PLAIT_ASSERTIONS ? 12'000 : 2'000));  // without assertions frames do not fail
  plait::test::count("allocation sweep runs", runs);
  plait::test::count("allocation sweep scenarios",
                     static_cast<long>(plait::test::scenarios().size()));
}
