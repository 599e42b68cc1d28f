#include <plait/sleep.hpp>

#include "support/operations.hpp"

#include <plait/cancel.hpp>
#include <plait/clock.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <string>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::testing::manual_scheduler;

namespace {

task<> sleep_and_note(plait::duration d, std::string& order, char name) {
  co_await plait::sleep_for(d);
  order += name;
}

}  // namespace

TEST_CASE("clock: a deadline saturates instead of wrapping into the past") {
  constexpr plait::time_point now{1000s};
  CHECK(plait::deadline_after(now, 5s) == now + 5s);
  CHECK(plait::deadline_after(now, plait::duration::max()) == plait::no_deadline);
  CHECK(plait::deadline_after(now, -5s) == now);
  CHECK(plait::deadline_after(now, plait::duration::min()) == now);
  CHECK(plait::deadline_after(plait::no_deadline, 1ns) == plait::no_deadline);
}

TEST_CASE("sleep: it lasts as long as it says") {
  manual_scheduler m;
  auto const begin = m.io().now();
  m.run([]() -> task<> { co_await plait::sleep_for(1500ms); });
  CHECK(m.io().now() - begin == 1500ms);
}

TEST_CASE("sleep: sleepers wake in the order of their deadlines, equal ones in order of arrival") {
  manual_scheduler m;
  std::string order;
  m.start(sleep_and_note, plait::duration(3ms), std::ref(order), 'c');
  m.start(sleep_and_note, plait::duration(1ms), std::ref(order), 'a');
  m.start(sleep_and_note, plait::duration(3ms), std::ref(order), 'd');
  m.start(sleep_and_note, plait::duration(2ms), std::ref(order), 'b');
  m.run_until_quiet();
  CHECK(order == "abcd");
}

TEST_CASE("sleep: of no time, of less than none, and until the past gives way once") {
  manual_scheduler m;
  auto const begin = m.io().now();
  std::string order;
  m.start([&]() -> task<> {
    order += 'a';
    co_await plait::sleep_for(0ms);
    order += 'b';
    co_await plait::sleep_for(-1h);
    order += 'c';
    co_await plait::sleep_until(plait::time_point(1ns));
    order += 'd';
  });
  m.start([&]() -> task<> {
    order += '1';
    co_return;
  });
  m.run_until_idle();
  CHECK(order == "a1bcd");
  CHECK(m.io().now() == begin);
}

TEST_CASE("sleep: one without an end ends when its scope is cancelled") {
  manual_scheduler m;
  bool finished = true;
  m.run([&]() -> task<> {
    finished =
        co_await plait::move_on_after(10ms, []() -> task<> { co_await plait::sleep_forever(); });
  });
  CHECK_FALSE(finished);
  CHECK(m.sched().timers().armed() == 0);
}

TEST_CASE("sleep: a cancelled one leaves no timer behind") {
  manual_scheduler m;
  m.run([]() -> task<> {
    bool const finished =
        co_await plait::move_on_after(1ms, []() -> task<> { co_await plait::sleep_for(1h); });
    CHECK_FALSE(finished);
  });
  CHECK(m.sched().timers().armed() == 0);
}

TEST_CASE("sleep: a hundred thousand sleepers wake, each in its time") {
  constexpr int many = 100'000;
  manual_scheduler m;
  long woken = 0;
  auto const begin = m.io().now();
  auto const sleeper = [&](int i) -> task<> {
    auto const d = plait::duration(std::chrono::microseconds((i * 7919) % 1'000'000));
    co_await plait::sleep_for(d);
    if (m.io().now() - begin >= d) ++woken;
  };
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < many; ++i) g.spawn(sleeper, i);
      co_await g.join();
    });
  });
  CHECK(woken == many);
}

TEST_CASE("yield: it goes behind the tasks that are ready") {
  manual_scheduler m;
  std::string order;
  m.start([&]() -> task<> {
    order += 'a';
    co_await plait::yield();
    order += 'c';
  });
  m.start([&]() -> task<> {
    order += 'b';
    co_return;
  });
  m.run_until_idle();
  CHECK(order == "abc");
}

TEST_CASE("yield: it is a cancel point") {
  manual_scheduler m;
  bool after = false;
  m.run([&]() -> task<> {
    bool const finished = co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      s.cancel();
      co_await plait::yield();
      after = true;
    });
    CHECK_FALSE(finished);
  });
  CHECK_FALSE(after);
}

TEST_CASE("yield: the one that follows a ready operation is no cancel point") {
  manual_scheduler m;
  long completed = 0;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const canceller = [&]() -> task<> {
        g.cancel();
        co_return;
      };
      g.spawn(canceller);
      // The canceller runs at the first budget yield of this loop, whose result still arrives.
      for (;;) {
        int const got = co_await plait::test::ready_operation(1);
        completed += got;
      }
    });
  });
  CHECK(completed == plait::scheduler::inline_budget);
}
