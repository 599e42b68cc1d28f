#include <plait/testing/checkpoints.hpp>

#include "support/operations.hpp"

#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>
#include <plait/when.hpp>

#include <catch2/catch.hpp>

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
