#include <plait/sync/mutex.hpp>

#include "support/death.hpp"

#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <string>

using namespace std::chrono_literals;
using plait::mutex;
using plait::task;
using plait::task_group;
using plait::testing::manual_scheduler;

namespace {

task<> note_when_locked(mutex& m, std::string& order, char name) {
  auto const held = co_await m.lock();
  order += name;
  co_await plait::yield();
}

}  // namespace

TEST_CASE("mutex: a second locker waits until unlock") {
  manual_scheduler m;
  mutex lock;
  std::string order;
  m.run([&]() -> task<> {
    auto held = co_await lock.lock();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn(note_when_locked, std::ref(lock), std::ref(order), 'b');
      co_await plait::sleep_for(5ms);
      order += 'a';
      held.unlock();
      CHECK(lock.locked());  // handed over, not up for grabs
      co_await g.join();
    });
  });
  CHECK(order == "ab");
  CHECK_FALSE(lock.locked());
}

TEST_CASE("mutex: those that wait get it in the order in which they came") {
  manual_scheduler m;
  mutex lock;
  std::string order;
  m.run([&]() -> task<> {
    auto held = co_await lock.lock();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (char const name : {'a', 'b', 'c', 'd'}) {
        g.spawn(note_when_locked, std::ref(lock), std::ref(order), name);
      }
      co_await plait::yield();
      held.unlock();
      CHECK_FALSE(lock.try_lock());  // nobody comes in between
      co_await g.join();
    });
  });
  CHECK(order == "abcd");
}

TEST_CASE("mutex: a wait that is cancelled leaves no hole in the queue") {
  manual_scheduler m;
  mutex lock;
  std::string order;
  m.run([&]() -> task<> {
    auto held = co_await lock.lock();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn(note_when_locked, std::ref(lock), std::ref(order), 'a');
      g.spawn([&]() -> task<> {
        co_await plait::move_on_after(1ms, note_when_locked, std::ref(lock), std::ref(order), 'x');
      });
      g.spawn(note_when_locked, std::ref(lock), std::ref(order), 'b');
      co_await plait::sleep_for(2ms);
      held.unlock();
      co_await g.join();
    });
  });
  CHECK(order == "ab");
}

TEST_CASE("mutex: what was handed over to a task that is cancelled meanwhile is delivered") {
  manual_scheduler m;
  mutex lock;
  std::string order;
  m.run([&]() -> task<> {
    auto held = co_await lock.lock();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      plait::cancel_scope* scope = nullptr;
      g.spawn([&]() -> task<> {
        auto const body = [&](plait::cancel_scope& s) -> task<> {
          scope = &s;
          co_await note_when_locked(lock, order, 'a');
        };
        co_await plait::with_cancel_scope(body);
      });
      co_await plait::yield();
      held.unlock();
      scope->cancel();
      co_await g.join();
    });
  });
  CHECK(order == "a");
  CHECK_FALSE(lock.locked());
}

TEST_CASE("mutex: a guard that was released leaves it locked, and any task may unlock it") {
  manual_scheduler m;
  mutex lock;
  m.run([&]() -> task<> {
    auto held = co_await lock.lock();
    CHECK(held.release() == &lock);
  });
  CHECK(lock.locked());
  m.on_thread([&] { lock.unlock(); });
  auto const tried = lock.try_lock();
  CHECK(tried);
}

TEST_CASE("mutex: unlocking what is not locked, and destroying what is, stop the program") {
  auto const unlocked = plait::test::in_child([] { mutex().unlock(); });
  CHECK(unlocked.says("a mutex was unlocked that was not locked"));
  auto const destroyed = plait::test::in_child([] { (void)mutex().try_lock()->release(); });
  CHECK(destroyed.says("a mutex was destroyed while it was locked"));
}
