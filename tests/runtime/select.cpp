#include <plait/select.hpp>

#include "support/operations.hpp"

#include <plait/deadlock_error.hpp>
#include <plait/sleep.hpp>
#include <plait/sync/mutex.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <stdexcept>
#include <variant>

using namespace std::chrono_literals;
using plait::mutex;
using plait::otherwise;
using plait::select;
using plait::sleep_for;
using plait::task;
using plait::task_group;
using plait::testing::manual_scheduler;

namespace {

task<int> value_after_ms(int ms, int value) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  co_return value;
}
task<> fail_after_ms(int ms) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  throw std::runtime_error("failed");
}
task<> hold_for_ms(mutex& m, int ms) {
  auto const held = co_await m.lock();
  co_await sleep_for(std::chrono::milliseconds(ms));
}

}  // namespace

TEST_CASE("select: the case that is granted first is the one that takes effect") {
  manual_scheduler m;
  m.run([]() -> task<> {
    co_await plait::with_task_group([](task_group& g) -> task<> {
      auto const slow = g.spawn(value_after_ms, 5, 1);
      auto const fast = g.spawn(value_after_ms, 2, 7);
      auto const got = co_await select(slow, sleep_for(3ms), fast);
      REQUIRE(got.index() == 2);
      CHECK(std::get<2>(got) == 7);
      int const later = co_await slow;  // the loser's value was left where it was
      CHECK(later == 1);
    });
  });
}

TEST_CASE("select: what a case throws comes out, and the others are withdrawn") {
  manual_scheduler m;
  mutex lock;
  m.run([&]() -> task<> {
    auto held = std::optional(co_await lock.lock());
    auto const body = [&](task_group& g) -> task<> {
      auto const failing = g.spawn(fail_after_ms, 1);
      CHECK_THROWS_WITH(co_await select(lock.lock(), failing), "failed");
    };
    CHECK_THROWS_WITH(co_await plait::with_task_group(body), "failed");
    held.reset();
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE("select: a lock that loses is not taken, and whoever waits behind gets it") {
  manual_scheduler m;
  mutex lock;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn(hold_for_ms, std::ref(lock), 5);
      co_await plait::yield();
      auto const got = co_await select(lock.lock(), sleep_for(2ms));
      CHECK(got.index() == 1);
      auto const next = co_await lock.lock();
      CHECK(lock.locked());
      co_await g.join();
    });
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE("select: of two locks that are free exactly one is taken, and over time each") {
  manual_scheduler m;
  mutex a;
  mutex b;
  m.run([&]() -> task<> {
    std::array<int, 2> taken{};
    for (int i = 0; i < 1000; ++i) {
      auto const got = co_await select(a.lock(), b.lock());
      CHECK(a.locked() != b.locked());
      ++taken[got.index()];
    }
    CHECK(taken[0] > 400);
    CHECK(taken[1] > 400);
  });
}

TEST_CASE("select: two cases that come free in one turn: the first is taken, the second left") {
  manual_scheduler m;
  mutex a;
  mutex b;
  m.run([&]() -> task<> {
    auto held_a = std::optional(co_await a.lock());
    auto held_b = std::optional(co_await b.lock());
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const chooser = g.spawn([&]() -> task<std::size_t> {
        auto const got = co_await select(b.lock(), a.lock());
        co_return got.index();
      });
      co_await plait::yield();
      held_a.reset();
      held_b.reset();
      CHECK(a.locked());
      CHECK_FALSE(b.locked());
      std::size_t const chosen = co_await chooser;
      CHECK(chosen == 1);
    });
    CHECK_FALSE(a.locked());
  });
}

TEST_CASE("select: otherwise is taken where nothing is ready, and only there") {
  manual_scheduler m;
  mutex lock;
  m.run([&]() -> task<> {
    {
      auto const got = co_await select(lock.lock(), otherwise());
      CHECK(got.index() == 0);
      auto const again = co_await select(lock.lock(), sleep_for(1ms), otherwise());
      CHECK(again.index() == 2);
    }
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE("select: cancelling it withdraws every case") {
  manual_scheduler m;
  mutex lock;
  m.run([&]() -> task<> {
    auto held = std::optional(co_await lock.lock());
    auto const wait = [&]() -> task<> { co_await select(lock.lock(), plait::sleep_forever()); };
    bool const completed = co_await plait::move_on_after(1ms, wait);
    CHECK_FALSE(completed);
    held.reset();
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE("select: it may stand under a timeout, and hold one select in another") {
  manual_scheduler m;
  mutex lock;
  m.run([&]() -> task<> {
    auto const held = co_await lock.lock();
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, select(lock.lock(), sleep_for(9ms))),
                    plait::timed_out);
    auto const got = co_await select(select(lock.lock(), sleep_for(2ms)), sleep_for(5ms));
    REQUIRE(got.index() == 0);
    CHECK(std::get<0>(got).index() == 1);
  });
}

TEST_CASE("select: where one of its waits is refused as a deadlock it throws, and the others end") {
  manual_scheduler m;
  mutex a;
  mutex b;
  m.run([&]() -> task<> {
    auto const held_a = co_await a.lock();
    auto const held_b = co_await b.lock();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      plait::detail::task_state* waiting = nullptr;
      g.spawn([&]() -> task<> {
        plait::detail::task_state& self = co_await plait::detail::this_task_state();
        waiting = &self;
        CHECK_THROWS_AS(co_await select(a.lock(), b.lock()), plait::deadlock_error);
      });
      co_await plait::yield();
      CHECK(waiting->blocked->refuse_deadlock());
      co_await g.join();
    });
  });
}

TEST_CASE("select: a case that waits for the driver is let go before it ends") {
  manual_scheduler m;
  m.run([]() -> task<> {
    auto const got = co_await select(plait::fd_wait(0, 1), sleep_for(1ms));
    CHECK(got.index() == 1);
  });
  CHECK(m.io().in_flight() == 0);
}

TEST_CASE("select: a lock that is taken within a select in a select is held by the task that waits") {
  manual_scheduler m;
  mutex lock;
  m.run([&]() -> task<> {
    auto const got = co_await select(select(select(lock.lock(), otherwise())), sleep_for(5ms));
    CHECK(got.index() == 0);
    CHECK(lock.locked());
  });
  CHECK_FALSE(lock.locked());
}
