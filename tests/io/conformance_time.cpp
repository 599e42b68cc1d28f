// What timers and scopes with a deadline do on every driver.
#include "support/conformance.hpp"

#include <plait/cancel.hpp>
#include <plait/clock.hpp>
#include <plait/scheduler.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <chrono>
#include <string>

using namespace std::chrono_literals;
using plait::cancel_scope;
using plait::sleep_for;
using plait::sleep_until;
using plait::task;
using plait::task_group;
using plait::time_point;
using plait::test::cancelled_before;
using plait::test::cancelled_meanwhile;
using plait::test::past_its_deadline;
using plait::test::stage;

namespace {

time_point now() { return plait::scheduler::current().now(); }

task<std::string> slept(plait::duration d) {
  co_await sleep_for(d);
  co_return "slept";
}

task<std::string> slept_until(time_point t) {
  co_await sleep_until(t);
  co_return now() >= t ? "slept" : "too early";
}

task<std::string> gave_way() {
  co_await plait::yield();
  co_return "gave way";
}

task<> note(std::string& order, char letter, plait::duration after) {
  co_await sleep_for(after);
  order += letter;
}

}  // namespace

CONFORMANCE_TEST("sleep_for: the time has passed", "slept") {
  time_point const begin = now();
  co_await sleep_for(2ms);
  co_return now() - begin >= 2ms ? "slept" : "too early";
}
CONFORMANCE_TEST("sleep_for: no time, and less", "slept, slept") {
  std::string const none = co_await slept(0ms);
  std::string const less = co_await slept(-1h);
  co_return none + ", " + less;
}
CONFORMANCE_TEST("sleep_for: the shorter one ends first", "abc") {
  std::string order;
  auto const all = [&](task_group& g) -> task<> {
    g.spawn(note, std::ref(order), 'c', 6ms);
    g.spawn(note, std::ref(order), 'a', 1ms);
    g.spawn(note, std::ref(order), 'b', 3ms);
    co_await g.join();
  };
  co_await plait::with_task_group(all);
  co_return order;
}
CONFORMANCE_TEST("sleep_for: cancelled before", "cancelled") {
  co_return co_await cancelled_before(slept(0ms));
}
CONFORMANCE_TEST("sleep_for: cancelled meanwhile", "cancelled") {
  co_return co_await cancelled_meanwhile(slept(1h));
}
CONFORMANCE_TEST("sleep_for: the deadline has passed", "timed out") {
  co_return co_await past_its_deadline(slept(0ms));
}
CONFORMANCE_TEST("sleep_until: a time to come", "slept") {
  time_point const then = now() + 2ms;
  co_return co_await slept_until(then);
}
CONFORMANCE_TEST("sleep_until: a time that has passed", "slept") {
  time_point const then = now() - 1h;
  co_return co_await slept_until(then);
}
CONFORMANCE_TEST("sleep_until: cancelled meanwhile", "cancelled") {
  time_point const then = now() + 1h;
  co_return co_await cancelled_meanwhile(slept_until(then));
}
CONFORMANCE_TEST("sleep_forever: ends by a cancellation", "cancelled") {
  auto const for_ever = []() -> task<std::string> {
    co_await plait::sleep_forever();
    co_return "slept";
  };
  co_return co_await cancelled_meanwhile(for_ever());
}

CONFORMANCE_TEST("yield: others run", "other, self") {
  std::string order;
  auto const other = [&]() -> task<> {
    order += "other";
    co_return;
  };
  auto const both = [&](task_group& g) -> task<> {
    g.spawn(other);
    while (order.empty()) co_await plait::yield();
    order += ", self";
    co_await g.join();
  };
  co_await plait::with_task_group(both);
  co_return order;
}
CONFORMANCE_TEST("yield: cancelled before", "cancelled") {
  co_return co_await cancelled_before(gave_way());
}
CONFORMANCE_TEST("yield: a loop ends by its deadline", "timed out") {
  auto const loop = []() -> task<std::string> {
    for (;;) co_await plait::yield();
  };
  auto const word = co_await plait::move_on_after(50us, loop);
  co_return word.value_or("timed out");
}

CONFORMANCE_TEST("move_on_after: done in time", "slept") {
  auto const word = co_await plait::move_on_after(1h, slept, 1ms);
  co_return word.value_or("timed out");
}
CONFORMANCE_TEST("move_on_after: not done in time, and not before", "timed out") {
  time_point const begin = now();
  auto const word = co_await plait::move_on_after(2ms, slept, 1h);
  std::string const end = now() - begin >= 2ms ? "timed out" : "too early";
  co_return word.value_or(end);
}
CONFORMANCE_TEST("move_on_after: the outer deadline is the earlier one", "the outer one") {
  auto const inner = []() -> task<std::string> {
    auto const word = co_await plait::move_on_after(1h, slept, 2h);
    co_return word.value_or("the inner one");
  };
  auto const word = co_await plait::move_on_after(1ms, inner);
  co_return word.value_or("the outer one");
}
CONFORMANCE_TEST("move_on_after: the inner deadline is the earlier one", "the inner one") {
  auto const inner = []() -> task<std::string> {
    auto const word = co_await plait::move_on_after(1ms, slept, 2h);
    co_return word.value_or("the inner one");
  };
  auto const word = co_await plait::move_on_after(1h, inner);
  co_return word.value_or("the outer one");
}
CONFORMANCE_TEST("fail_after: not done in time", "timed out after 1 ms") {
  std::string word = "slept";
  try {
    word = co_await plait::fail_after(1ms, slept, 1h);
  } catch (plait::timed_out const& e) {
    word = e.after() == plait::duration(1ms) ? "timed out after 1 ms" : e.what();
  }
  co_return word;
}
CONFORMANCE_TEST("with_timeout: one operation, not done in time", "timed out") {
  std::string word = "slept";
  try {
    co_await plait::with_timeout(1ms, sleep_for(1h));
  } catch (plait::timed_out const&) {
    word = "timed out";
  }
  co_return word;
}
CONFORMANCE_TEST("shield: what is in it sleeps on, what is behind it is cancelled",
                 "slept, cancelled") {
  std::string inside = "cancelled";
  auto const sheltered = [&]() -> task<> { inside = co_await slept(1ms); };
  auto const body = [&]() -> task<std::string> {
    co_await plait::shield(sheltered);
    co_return co_await slept(0ms);
  };
  std::string const behind = co_await cancelled_before(body());
  co_return inside + ", " + behind;
}
