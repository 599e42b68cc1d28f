// What counts and signals: semaphore, event, latch, barrier.
#include <plait/sync/barrier.hpp>
#include <plait/sync/event.hpp>
#include <plait/sync/latch.hpp>
#include <plait/sync/semaphore.hpp>

#include <plait/select.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::barrier;
using plait::bounded_semaphore;
using plait::broken_barrier;
using plait::event;
using plait::latch;
using plait::semaphore;
using plait::task;
using plait::task_group;
using plait::testing::manual_scheduler;

namespace {

task<> note_permits(semaphore& s, std::size_t n, std::string& order, char name) {
  co_await s.acquire(n);
  order += name;
}

task<> note_event(event& e, std::string& order, char name) {
  co_await e.wait();
  order += name;
}

// What came of it: its index, or '!' where the barrier broke, 'x' for an error of the action.
task<> note_arrival(barrier& b, std::string& order) {
  try {
    std::size_t const index = co_await b.arrive_and_wait();
    order += static_cast<char>('0' + index);
  } catch (broken_barrier const&) {
    order += '!';
  } catch (std::logic_error const&) {
    order += 'x';
  }
}

task<> pass_often(barrier& b, int times, std::vector<int>& passed, std::size_t who) {
  for (int i = 0; i < times; ++i) {
    co_await b.arrive_and_wait();
    ++passed[who];
  }
}

}  // namespace

TEST_CASE("semaphore: permits are taken, given back by any task, and available are the rest") {
  semaphore s(3);
  manual_scheduler m;
  m.run([&]() -> task<> {
    co_await s.acquire(2);
    CHECK(s.available() == 1);
    CHECK_FALSE(s.try_acquire(2));
    CHECK(s.try_acquire());
    CHECK_FALSE(s.try_acquire());
    {
      s.release(2);
      auto const permit = co_await s.hold(2);
      CHECK(s.available() == 0);
    }
    CHECK(s.available() == 2);
    auto kept = co_await s.hold(2);
    CHECK(kept.keep() == 2);
  });
  CHECK(s.available() == 0);
  m.on_thread([&] { s.release(5); });
  CHECK(s.available() == 5);
}

TEST_CASE("semaphore: who asks for many is not overtaken by those who ask for few") {
  semaphore s(1);
  std::string order;
  manual_scheduler m;
  m.start(note_permits, std::ref(s), 4, std::ref(order), 'A');
  m.start(note_permits, std::ref(s), 1, std::ref(order), 'b');
  m.start(note_permits, std::ref(s), 1, std::ref(order), 'c');
  m.run_until_idle();
  CHECK(order == "");
  CHECK_FALSE(s.try_acquire());
  m.on_thread([&] { s.release(1); });
  m.run_until_idle();
  CHECK(order == "");
  m.on_thread([&] { s.release(2); });
  m.run_until_idle();
  CHECK(order == "A");
  m.on_thread([&] { s.release(2); });
  m.run_until_idle();
  CHECK(order == "Abc");
}

TEST_CASE("semaphore: where the first is cancelled, those behind it go that can") {
  semaphore s(1);
  std::string order;
  manual_scheduler m;
  auto const impatient = [&]() -> task<> {
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, s.acquire(2)), plait::timed_out);
    order += 'x';
  };
  m.start(std::cref(impatient));
  m.start(note_permits, std::ref(s), 1, std::ref(order), 'a');
  m.start(note_permits, std::ref(s), 1, std::ref(order), 'b');
  m.run_until_idle();
  CHECK(order == "");
  m.advance(1ms);
  CHECK(order.size() == 2);  // a and x, in either order
  m.on_thread([&] { s.release(); });
  m.run_until_idle();
  CHECK(order.back() == 'b');
  CHECK(s.available() == 0);
}

TEST_CASE("bounded_semaphore: more releases than acquires throw, and change nothing") {
  bounded_semaphore s(2);
  manual_scheduler m;
  CHECK_THROWS_AS(s.release(), std::logic_error);
  m.run([&]() -> task<> {
    co_await s.acquire(2);
    CHECK_THROWS_AS(s.release(3), std::logic_error);
    CHECK(s.available() == 0);
    s.release(2);
    auto const permit = co_await s.hold();
    CHECK(s.available() == 1);
  });
  CHECK(s.available() == 2);
}

TEST_CASE("event: who waits is woken by set, in order, and who comes while it is set does not wait") {
  event e;
  std::string order;
  manual_scheduler m;
  for (char const name : {'a', 'b', 'c'}) m.start(note_event, std::ref(e), std::ref(order), name);
  m.run_until_idle();
  CHECK(order == "");
  m.on_thread([&] { e.set(); });
  m.run_until_idle();
  CHECK(order == "abc");
  m.start(note_event, std::ref(e), std::ref(order), 'd');
  m.run_until_idle();
  CHECK(order == "abcd");
}

TEST_CASE("event: a waiter is woken even when it is cleared at once") {
  event e;
  std::string order;
  manual_scheduler m;
  m.start(note_event, std::ref(e), std::ref(order), 'a');
  m.run_until_idle();
  m.on_thread([&] {
    e.set();
    e.clear();
  });
  CHECK_FALSE(e.is_set());
  m.start(note_event, std::ref(e), std::ref(order), 'b');
  m.run_until_idle();
  CHECK(order == "a");
}

TEST_CASE("event: it is a case of a select, and a wait for it may time out") {
  event e;
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto const got = co_await plait::select(e.wait(), plait::sleep_for(1ms));
    CHECK(got.index() == 1);
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, e.wait()), plait::timed_out);
    e.set();
    auto const again = co_await plait::select(e.wait(), plait::sleep_for(1ms));
    CHECK(again.index() == 0);
  });
}

TEST_CASE("latch: everyone goes on when it has been counted down, and from then on at once") {
  latch l(3);
  int passed = 0;
  manual_scheduler m;
  auto const pass = [&]() -> task<> {
    co_await l.wait();
    ++passed;
  };
  auto const arrive = [&]() -> task<> {
    co_await l.arrive_and_wait();
    ++passed;
  };
  m.start(std::cref(pass));
  m.start(std::cref(arrive));
  m.run_until_idle();
  CHECK(l.left() == 2);
  CHECK_FALSE(l.try_wait());
  m.on_thread([&] { CHECK_THROWS_AS(l.count_down(3), std::logic_error); });
  m.on_thread([&] { l.count_down(2); });
  m.start(std::cref(pass));
  m.run_until_idle();
  CHECK(passed == 3);
  CHECK(l.try_wait());
}

TEST_CASE("barrier: all go on when the last has come, each with its index, after one action") {
  std::string order;
  barrier b(3, [&] { order += "action "; });
  manual_scheduler m;
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.run_until_idle();
  CHECK(order == "");
  CHECK(b.n_waiting() == 2);
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.run_until_idle();
  CHECK(order == "action 201");  // the last does not wait
  CHECK(b.n_waiting() == 0);
  CHECK_THROWS_AS(barrier(0), std::logic_error);
}

TEST_CASE("barrier: a thousand passes, and nobody is a pass ahead") {
  std::vector<int> passed(5);
  bool together = true;
  int actions = 0;
  manual_scheduler m;
  auto const look = [&] {
    ++actions;
    for (int const p : passed) together = together && p == passed[0];
  };
  barrier b(passed.size(), look);
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (std::size_t i = 0; i < passed.size(); ++i) {
        g.spawn(pass_often, std::ref(b), 1000, std::ref(passed), i);
      }
      co_await g.join();
    });
  });
  CHECK(actions == 1000);
  CHECK(together);
  CHECK(passed == std::vector<int>(5, 1000));
}

TEST_CASE("barrier: abort breaks it for all who wait and all who come, until reset") {
  std::string order;
  barrier b(2);
  manual_scheduler m;
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.run_until_idle();
  m.on_thread([&] { b.abort(); });
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.run_until_idle();
  CHECK(order == "!!");
  CHECK(b.broken());
  CHECK(b.n_waiting() == 0);
  m.on_thread([&] { b.reset(); });
  CHECK_FALSE(b.broken());
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.run_until_idle();
  CHECK(order == "!!10");
}

TEST_CASE("barrier: reset sends away those who wait, and it is whole") {
  std::string order;
  barrier b(2);
  manual_scheduler m;
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.run_until_idle();
  m.on_thread([&] { b.reset(); });
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.run_until_idle();
  CHECK(order == "!10");
}

TEST_CASE("barrier: a waiter that times out breaks it for the others") {
  std::string order;
  barrier b(3);
  manual_scheduler m;
  auto const impatient = [&]() -> task<> {
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, b.arrive_and_wait()), plait::timed_out);
    order += 't';
  };
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.start(std::cref(impatient));
  m.run_until_idle();
  m.advance(1ms);
  CHECK(b.broken());
  CHECK((order == "t!" || order == "!t"));
}

TEST_CASE("barrier: an action that throws breaks it, and the last to arrive gets what it threw") {
  std::string order;
  barrier b(2, [] { throw std::logic_error("action"); });
  manual_scheduler m;
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.start(note_arrival, std::ref(b), std::ref(order));
  m.run_until_idle();
  CHECK((order == "x!" || order == "!x"));
  CHECK(b.broken());
}
