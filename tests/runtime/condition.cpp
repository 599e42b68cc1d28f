#include <plait/sync/condition.hpp>

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
using plait::condition;
using plait::mutex;
using plait::recursive_mutex;
using plait::task;
using plait::task_group;
using plait::testing::manual_scheduler;

namespace {

template <class Lock>
task<> note_when_notified(Lock& m, condition& c, std::string& order, char name) {
  auto held = co_await m.lock();
  co_await c.wait(held);
  CHECK(m.locked());
  order += name;
}

// Waits in a scope that the test cancels: whether it holds the mutex when the wait has ended.
struct cancelled_waiter {
  plait::cancel_scope* scope = nullptr;
  bool was_cancelled = false;
  bool held_then = false;

  task<> run(mutex& m, condition& c) {
    auto const body = [&](plait::cancel_scope& s) -> task<> {
      scope = &s;
      auto held = co_await m.lock();
      try {
        co_await c.wait(held);
      } catch (plait::cancelled const&) {
        was_cancelled = true;
        held_then = m.locked();
        throw;
      }
      held_then = m.locked();
    };
    co_await plait::with_cancel_scope(std::cref(body));
  }
};

}  // namespace

TEST_CASE("condition: notify wakes as many as it says, the first first, each with the mutex") {
  mutex lock;
  condition c;
  std::string order;
  manual_scheduler m;
  for (char const name : {'a', 'b', 'c', 'd', 'e'}) {
    m.start(note_when_notified<mutex>, std::ref(lock), std::ref(c), std::ref(order), name);
  }
  m.run_until_idle();
  CHECK_FALSE(lock.locked());
  CHECK(c.n_waiting() == 5);
  m.on_thread([&] { c.notify(); });
  m.run_until_idle();
  CHECK(order == "a");
  m.on_thread([&] { c.notify(2); });
  m.run_until_idle();
  CHECK(order == "abc");
  m.on_thread([&] { c.notify_all(); });
  m.run_until_idle();
  CHECK(order == "abcde");
  CHECK_FALSE(lock.locked());
}

TEST_CASE("condition: who is notified waits for the mutex behind those who came before") {
  mutex lock;
  condition c;
  std::string order;
  manual_scheduler m;
  m.start(note_when_notified<mutex>, std::ref(lock), std::ref(c), std::ref(order), 'w');
  m.run_until_idle();
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto held = co_await lock.lock();
      g.spawn([&]() -> task<> {
        auto const behind = co_await lock.lock();
        order += 'b';
      });
      co_await plait::yield();
      c.notify();
      co_await plait::sleep_for(1ms);
      order += 'a';
      held.unlock();
      co_await g.join();
    });
  });
  CHECK(order == "abw");
}

TEST_CASE("condition: a wait for a predicate goes on when it holds, and at once where it holds already") {
  mutex lock;
  condition changed;
  int value = 0;
  bool seen = false;
  manual_scheduler m;
  auto const wait = [&]() -> task<> {
    auto held = co_await lock.lock();
    co_await changed.wait(held, [&] { return value == 2; });
    seen = true;
    co_await changed.wait(held, [&] { return value == 2; });
  };
  m.start(std::cref(wait));
  for (int i = 0; i < 2; ++i) {
    m.run_until_idle();
    CHECK_FALSE(seen);
    ++value;
    m.on_thread([&] { changed.notify_all(); });
  }
  m.run_until_idle();
  CHECK(seen);
}

TEST_CASE("condition: a recursive mutex is unlocked fully, and locked as often again") {
  recursive_mutex lock;
  condition c;
  std::size_t depth = 0;
  manual_scheduler m;
  auto const wait = [&]() -> task<> {
    auto const outer = co_await lock.lock();
    auto inner = co_await lock.lock();
    co_await c.wait(inner);
    depth = lock.depth();
  };
  m.start(std::cref(wait));
  m.run_until_idle();
  CHECK_FALSE(lock.locked());
  m.run([&]() -> task<> {
    auto const held = co_await lock.lock();
    c.notify();
  });
  m.run_until_idle();
  CHECK(depth == 2);
  CHECK_FALSE(lock.locked());
}

TEST_CASE("condition: a wait that is cancelled has the mutex again when it ends") {
  mutex lock;
  condition c;
  manual_scheduler m;
  cancelled_waiter w;
  m.start(&cancelled_waiter::run, &w, std::ref(lock), std::ref(c));
  m.run_until_idle();
  SECTION("where it is free") {
    m.on_thread([&] { w.scope->cancel(); });
    CHECK_FALSE(w.was_cancelled);
    m.run_until_idle();
  }
  SECTION("where it is held, cancelled twice") {
    m.run([&]() -> task<> {
      auto const held = co_await lock.lock();
      w.scope->cancel();
      co_await plait::sleep_for(1ms);
      CHECK_FALSE(w.was_cancelled);
    });
    m.run_until_idle();
  }
  CHECK(w.was_cancelled);
  CHECK(w.held_then);
  CHECK_FALSE(lock.locked());
}

TEST_CASE("condition: a notification does not go to who is cancelled already, but to the next") {
  mutex lock;
  condition c;
  manual_scheduler m;
  cancelled_waiter w;
  std::string order;
  m.start(&cancelled_waiter::run, &w, std::ref(lock), std::ref(c));
  m.start(note_when_notified<mutex>, std::ref(lock), std::ref(c), std::ref(order), 'b');
  m.run_until_idle();
  m.on_thread([&] {
    w.scope->cancel();
    c.notify();
  });
  m.run_until_idle();
  CHECK(w.was_cancelled);
  CHECK(order == "b");
}

TEST_CASE("condition: who is cancelled while it waits for the mutex again was notified, and returns") {
  mutex lock;
  condition c;
  manual_scheduler m;
  cancelled_waiter w;
  m.start(&cancelled_waiter::run, &w, std::ref(lock), std::ref(c));
  m.run_until_idle();
  m.run([&]() -> task<> {
    auto const held = co_await lock.lock();
    c.notify();
    co_await plait::yield();
    w.scope->cancel();
    co_await plait::yield();
  });
  m.run_until_idle();
  CHECK_FALSE(w.was_cancelled);
  CHECK(w.held_then);
  CHECK_FALSE(lock.locked());
}

TEST_CASE("condition: a wait with a timeout has the mutex again when it times out") {
  mutex lock;
  condition c;
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto held = co_await lock.lock();
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, c.wait(held)), plait::timed_out);
    CHECK(lock.locked());
    CHECK(c.n_waiting() == 0);
  });
  CHECK_FALSE(lock.locked());
}

TEST_CASE("condition: waiting with a guard that holds nothing throws") {
  mutex lock;
  condition c;
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto held = co_await lock.lock();
    held.unlock();
    CHECK_THROWS_AS(co_await c.wait(held), std::logic_error);
  });
}
