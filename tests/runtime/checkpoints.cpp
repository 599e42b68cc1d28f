#include <plait/testing/checkpoints.hpp>

#include "support/operations.hpp"

#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>
#include <plait/when.hpp>

#include <catch2/catch.hpp>

#include <exception>
#include <source_location>
#include <utility>
#include <vector>

#include <poll.h>

using namespace std::chrono_literals;
using plait::task;
using plait::testing::checkpoint_watch;
using plait::testing::manual_scheduler;

namespace {

// How many cancel points an awaitable passes.
template <class Make>
int cancel_points(Make const& make) {
  manual_scheduler m;
  int seen = 0;
  checkpoint_watch const watch(m.sched(), [&] { ++seen; });
  m.run([&]() -> task<> { co_await make(); });
  return seen;
}

}  // namespace

TEST_CASE("checkpoints: every operation of the runtime is a cancel point") {
  CHECK(cancel_points([] { return plait::yield(); }) == 1);
  CHECK(cancel_points([] { return plait::sleep_for(1ms); }) == 1);
  CHECK(cancel_points([] { return plait::sleep_for(-1ms); }) == 1);
  CHECK(cancel_points([] { return plait::with_timeout(1s, plait::sleep_for(1ms)); }) == 1);
  CHECK(cancel_points([] { return plait::test::ready_operation(); }) == 1);
  // Each of the two operations.
  CHECK(cancel_points([] { return plait::when_all(plait::yield(), plait::yield()); }) == 2);
  CHECK(cancel_points([] { return plait::when_any(plait::yield(), plait::yield()); }) == 2);
}

TEST_CASE("checkpoints: awaiting a task and joining a group are none") {
  CHECK(cancel_points([]() -> task<> { co_return; }) == 0);
  CHECK(cancel_points([] {
          return plait::with_task_group([](plait::task_group& g) -> task<> { co_await g.join(); });
        }) == 0);
}

TEST_CASE("checkpoints: what the watch cancels, that await already throws") {
  manual_scheduler m;
  plait::cancel_scope* scope = nullptr;
  int seen = 0;
  int awaited = 0;
  m.run([&]() -> task<> {
    bool const finished = co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      scope = &s;
      checkpoint_watch const watch(m.sched(), [&] {
        if (++seen == 3) scope->cancel();
      });
      for (;;) {
        co_await plait::yield();
        ++awaited;
      }
    });
    CHECK_FALSE(finished);
  });
  CHECK(awaited == 2);
  CHECK(m.sched().cancelled_scopes == 0);
}

namespace {

// What comes out of an await at which the watch gives an exception: 'x' for that exception.
template <class Make>
char refused(Make const& make) {
  manual_scheduler m;
  char seen = '-';
  bool given = false;
  checkpoint_watch const watch(m.sched(), [&](std::source_location const&) -> std::exception_ptr {
    return std::exchange(given, true) ? nullptr : std::make_exception_ptr('x');
  });
  m.run([&]() -> task<> {
    try {
      co_await make();
    } catch (char thrown) {
      seen = thrown;
    }
  });
  return seen;
}

}  // namespace

TEST_CASE("checkpoints: an exception that the watch gives comes out of that await") {
  CHECK(refused([] { return plait::yield(); }) == 'x');
  CHECK(refused([] { return plait::sleep_for(1ms); }) == 'x');
  CHECK(refused([] { return plait::with_timeout(1s, plait::sleep_for(1ms)); }) == 'x');
  CHECK(refused([] { return plait::test::ready_operation(); }) == 'x');
  CHECK(refused([] { return plait::when_all(plait::sleep_for(1ms), plait::yield()); }) == 'x');
  CHECK(refused([] { return plait::when_any(plait::sleep_for(1ms), plait::yield()); }) == 'x');
  CHECK(refused([]() -> task<> {
          co_await plait::with_task_group([](plait::task_group& g) -> task<> {
            auto const child = g.spawn([]() -> task<> { co_return; });
            co_await child;
          });
        }) == 'x');
}

TEST_CASE("checkpoints: the watch is told the line of the await") {
  manual_scheduler m;
  std::vector<unsigned> lines;
  checkpoint_watch const watch(m.sched(), [&](std::source_location const& await) -> std::exception_ptr {
    lines.push_back(await.line());
    return nullptr;
  });
  unsigned const first = __LINE__ + 2;
  m.run([]() -> task<> {
    co_await plait::yield();
    co_await plait::sleep_for(1ms);
  });
  CHECK(lines == std::vector<unsigned>{first, first + 1});
}
