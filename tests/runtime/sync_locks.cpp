// Locks beside the mutex: recursive_mutex, shared_mutex, lock_all.
#include <plait/sync/lock_all.hpp>
#include <plait/sync/recursive_mutex.hpp>
#include <plait/sync/shared_mutex.hpp>

#include "support/death.hpp"

#include <plait/select.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using plait::lock_all;
using plait::mutex;
using plait::recursive_mutex;
using plait::shared_mutex;
using plait::task;
using plait::task_group;
using plait::testing::manual_scheduler;

namespace {

task<int> nested(recursive_mutex& m, int depth) {
  auto const held = co_await m.lock();
  if (depth == 1) co_return static_cast<int>(m.depth());
  int const inner = co_await nested(m, depth - 1);
  co_return inner;
}

// "r" and "w" when they begin, ")" when they end.
task<> read_for_ms(shared_mutex& m, std::string& order, int ms) {
  auto const shared = co_await m.lock_shared();
  order += 'r';
  co_await plait::sleep_for(std::chrono::milliseconds(ms));
  order += ')';
}
task<> write_for_ms(shared_mutex& m, std::string& order, int ms) {
  auto const held = co_await m.lock();
  order += 'w';
  co_await plait::sleep_for(std::chrono::milliseconds(ms));
  order += ')';
}
task<> read_without_end(shared_mutex& m, bool const& written, int& reads) {
  while (!written) {
    auto const shared = co_await m.lock_shared();
    ++reads;
    co_await plait::sleep_for(2ms);
  }
}
task<> lock_two(mutex& a, mutex& b, int times, int& done) {
  for (int i = 0; i < times; ++i) {
    auto const both = co_await lock_all(a, b);
    co_await plait::yield();
    ++done;
  }
}

}  // namespace

TEST_CASE("recursive_mutex: its holder locks it again, and it is free after the last guard") {
  recursive_mutex lock;
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto const held = co_await lock.lock();
    int const depth = co_await nested(lock, 3);
    CHECK(depth == 4);
    CHECK(lock.depth() == 1);
    auto const again = co_await lock.try_lock();
    CHECK(again.has_value());
    CHECK(lock.depth() == 2);
  });
  CHECK_FALSE(lock.locked());
}

TEST_CASE("recursive_mutex: another task waits, also a child of the holder") {
  recursive_mutex lock;
  std::string order;
  manual_scheduler m;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto outer = std::optional(co_await lock.lock());
      auto inner = std::optional(co_await lock.lock());
      g.spawn([&]() -> task<> {
        auto const tried = co_await lock.try_lock();
        CHECK_FALSE(tried.has_value());
        auto const held = co_await lock.lock();
        order += 'b';
      });
      co_await plait::sleep_for(1ms);
      inner.reset();
      co_await plait::sleep_for(1ms);
      order += 'a';
      outer.reset();
      co_await g.join();
    });
  });
  CHECK(order == "ab");
}

TEST_CASE("recursive_mutex: unlock by a task that does not hold it throws") {
  recursive_mutex lock;
  manual_scheduler m;
  m.run([&]() -> task<> {
    CHECK_THROWS_AS(co_await lock.unlock(), std::logic_error);
    auto held = co_await lock.lock();
    CHECK(held.release() == &lock);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { CHECK_THROWS_AS(co_await lock.unlock(), std::logic_error); });
      co_await g.join();
    });
    CHECK(lock.locked());
    co_await lock.unlock();
    CHECK_FALSE(lock.locked());
  });
}

TEST_CASE("shared_mutex: readers go together, a writer alone") {
  shared_mutex lock;
  std::string order;
  manual_scheduler m;
  m.start(read_for_ms, std::ref(lock), std::ref(order), 2);
  m.start(read_for_ms, std::ref(lock), std::ref(order), 3);
  m.start(write_for_ms, std::ref(lock), std::ref(order), 1);
  m.start(write_for_ms, std::ref(lock), std::ref(order), 1);
  m.run_until_quiet();
  CHECK(order == "rr))w)w)");
  CHECK_FALSE(lock.locked());
  CHECK(lock.readers() == 0);
}

TEST_CASE("shared_mutex: readers that come behind a writer wait for it, and then go together") {
  shared_mutex lock;
  std::string order;
  manual_scheduler m;
  m.start(read_for_ms, std::ref(lock), std::ref(order), 2);
  m.start(write_for_ms, std::ref(lock), std::ref(order), 2);
  m.start(read_for_ms, std::ref(lock), std::ref(order), 2);
  m.start(read_for_ms, std::ref(lock), std::ref(order), 3);
  m.start(write_for_ms, std::ref(lock), std::ref(order), 2);
  m.run_until_idle();
  CHECK_FALSE(lock.try_lock_shared().has_value());
  m.run_until_quiet();
  CHECK(order == "r)w)rr))w)");
}

TEST_CASE("shared_mutex: neither a stream of readers nor one of writers starves the other") {
  shared_mutex lock;
  bool written = false;
  int reads = 0;
  manual_scheduler m;
  m.start(read_without_end, std::ref(lock), std::cref(written), std::ref(reads));
  m.advance(1ms);
  m.start(read_without_end, std::ref(lock), std::cref(written), std::ref(reads));
  m.advance(500us);
  auto const write = [&]() -> task<> {
    auto const held = co_await lock.lock();
    written = true;
  };
  m.start(std::cref(write));
  m.run_until_quiet();
  CHECK(written);
  CHECK(reads < 5);
}

TEST_CASE("shared_mutex: a writer that gives up lets the readers behind it go") {
  shared_mutex lock;
  std::string order;
  manual_scheduler m;
  auto const impatient = [&]() -> task<> {
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, lock.lock()), plait::timed_out);
  };
  m.start(read_for_ms, std::ref(lock), std::ref(order), 9);
  m.start(std::cref(impatient));
  m.start(read_for_ms, std::ref(lock), std::ref(order), 1);
  m.run_until_idle();
  CHECK(order == "r");
  m.advance(1ms);
  CHECK(order == "rr");
  m.run_until_quiet();
}

TEST_CASE("shared_mutex: try_lock, guards that move, and guards that are released") {
  shared_mutex lock;
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto first = std::optional(co_await lock.lock_shared());
    auto second = lock.try_lock_shared();
    REQUIRE(second.has_value());
    CHECK_FALSE(lock.try_lock().has_value());
    auto moved = std::move(*first);
    first.reset();
    CHECK(lock.readers() == 2);
    moved.unlock();
    CHECK(second->release() == &lock);
    CHECK(lock.readers() == 1);
    lock.unlock_shared();
    auto alone = lock.try_lock();
    REQUIRE(alone.has_value());
    CHECK(lock.locked());
    CHECK_FALSE(lock.try_lock_shared().has_value());
    CHECK(alone->release() == &lock);
    lock.unlock();
    CHECK_FALSE(lock.locked());
    auto const got = co_await plait::select(lock.lock_shared(), plait::sleep_for(1ms));
    CHECK(lock.readers() == 1);
  });
  CHECK(lock.readers() == 0);
}

TEST_CASE("shared_mutex: unlocking what is not locked, and destroying what is, stop the program") {
  CHECK(plait::test::in_child([] { shared_mutex().unlock(); }).says("unlocked that was not locked"));
  CHECK(plait::test::in_child([] { shared_mutex().unlock_shared(); }).says("that was not shared"));
  CHECK(plait::test::in_child([] { (void)shared_mutex().try_lock()->release(); })
            .says("a shared mutex was destroyed while it was locked"));
}

TEST_CASE("lock_all: takes all, whatever the order of the arguments, and gives all back") {
  mutex a;
  mutex b;
  mutex c;
  manual_scheduler m;
  m.run([&]() -> task<> {
    {
      auto const held = co_await lock_all(c, a, b);
      CHECK((a.locked() && b.locked() && c.locked()));
    }
    CHECK((!a.locked() && !b.locked() && !c.locked()));
    int done = 0;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn(lock_two, std::ref(a), std::ref(b), 50, std::ref(done));
      g.spawn(lock_two, std::ref(b), std::ref(a), 50, std::ref(done));
      co_await g.join();
    });
    CHECK(done == 100);
    CHECK_THROWS_AS(co_await lock_all(a, b, a), std::logic_error);
    CHECK_FALSE(a.locked());
  });
}

TEST_CASE("lock_all: one that is cancelled, or loses in a select, holds nothing") {
  mutex locks[3];
  manual_scheduler m;
  m.run([&]() -> task<> {
    for (mutex& taken : locks) {
      auto held = std::optional(co_await taken.lock());
      auto all = [&] { return lock_all(locks[0], locks[1], locks[2]); };
      CHECK_THROWS_AS(co_await plait::with_timeout(1ms, all()), plait::timed_out);
      auto const got = co_await plait::select(all(), plait::sleep_for(1ms));
      CHECK(got.index() == 1);
      held.reset();
      for (mutex const& m_ : locks) CHECK_FALSE(m_.locked());
    }
  });
}
