#include <plait/async_generator.hpp>

#include "support/death.hpp"
#include "support/operations.hpp"

#include <plait/cancel.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/task_tree.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using plait::async_generator;
using plait::cancelled;
using plait::for_each;
using plait::sleep_for;
using plait::task;
using plait::test::counted;
using plait::test::gate;
using plait::testing::manual_scheduler;

namespace {

async_generator<int> count_to(int last) {
  counted const local;
  for (int i = 1; i <= last; ++i) {
    co_await sleep_for(1ms);
    co_yield i;
  }
}
async_generator<int> at_once(int how_many) {
  for (int i = 0; i < how_many; ++i) co_yield i;
}
async_generator<int> noted(std::string& log) {
  log += 'b';
  co_yield 1;
  log += 'm';
  co_yield 2;
  log += 'e';
}
async_generator<int> fail_after(int good) {
  counted const local;
  for (int i = 0; i < good; ++i) co_yield i;
  co_await plait::yield();
  throw std::out_of_range("no more");
}
async_generator<std::unique_ptr<int>> boxes() {
  co_yield std::make_unique<int>(1);
  std::unique_ptr<int> second = std::make_unique<int>(2);
  co_yield std::move(second);
}
async_generator<std::string&> each_of(std::vector<std::string>& texts) {
  for (std::string& text : texts) co_yield text;
}
async_generator<int> wait_at(gate& g) {
  counted const local;
  int const got = co_await g.wait();
  co_yield got;
}

// Whose cleanup awaits, on every way out.
async_generator<int> with_cleanup(std::string& log) {
  std::exception_ptr why;
  try {
    for (int i = 1;; ++i) {
      log += 'y';
      co_yield i;
    }
  } catch (cancelled const& c) {
    log += std::string(c.reason()) + ';';
    why = std::current_exception();
  }
  co_await sleep_for(1ms);
  log += 'c';
  std::rethrow_exception(why);
}
// Goes on after its end was asked for.
async_generator<int> deaf(int& swallowed) {
  while (swallowed < 3) {
    try {
      co_yield swallowed;
    } catch (cancelled const&) {
      ++swallowed;
    }
  }
}
async_generator<int> fails_in_cleanup() {
  try {
    co_yield 1;
  } catch (cancelled const&) {
  }
  co_await plait::yield();
  throw std::out_of_range("cleanup");
}

// All numbers of the leaves, and itself for each further level.
async_generator<int> walk(int depth) {
  if (depth == 0) {
    co_await plait::yield();
    co_yield 1;
  } else {
    auto inner = walk(depth - 1);
    for (auto got = co_await inner.next(); got; got = co_await inner.next()) co_yield *got + 1;
    co_yield depth;
  }
}

template <class Generator>
task<std::vector<int>> all_of(Generator items) {
  std::vector<int> got;
  for (auto one = co_await items.next(); one; one = co_await items.next()) got.push_back(*one);
  co_return got;
}

}  // namespace

TEST_CASE("async_generator: it gives its values in order, awaits in between, and ends for good") {
  manual_scheduler m;
  m.run([]() -> task<> {
    auto numbers = count_to(2);
    std::optional<int> const first = co_await numbers.next();
    std::optional<int> const second = co_await numbers.next();
    std::optional<int> const third = co_await numbers.next();
    std::optional<int> const again = co_await numbers.next();
    CHECK(first == 1);
    CHECK(second == 2);
    CHECK_FALSE(third.has_value());
    CHECK_FALSE(again.has_value());
    CHECK(counted::alive == 0);
  });
}

TEST_CASE("async_generator: nothing of it runs before it is asked, and no more than was asked for") {
  manual_scheduler m;
  m.run([]() -> task<> {
    std::string log;
    auto numbers = noted(log);
    co_await plait::yield();
    CHECK(log.empty());
    std::optional<int> one = co_await numbers.next();
    CHECK(log == "b");
    one = co_await numbers.next();
    CHECK(log == "bm");
    one = co_await numbers.next();
    CHECK(log == "bme");
    CHECK_FALSE(one.has_value());
  });
}

TEST_CASE("async_generator: what it throws comes out of next(), once, and has ended it") {
  manual_scheduler m;
  m.run([]() -> task<> {
    auto numbers = fail_after(1);
    std::optional<int> one = co_await numbers.next();
    CHECK(one == 0);
    bool failed = false;
    try {
      one = co_await numbers.next();
    } catch (std::out_of_range const&) {
      failed = true;
    }
    CHECK(failed);
    CHECK(counted::alive == 0);
    one = co_await numbers.next();
    CHECK_FALSE(one.has_value());
    co_await numbers.close();
  });
}

TEST_CASE("async_generator: values that only move, and references to the very object") {
  manual_scheduler m;
  m.run([]() -> task<> {
    auto some = boxes();
    std::optional<std::unique_ptr<int>> box = co_await some.next();
    CHECK(**box == 1);
    box = co_await some.next();
    CHECK(**box == 2);

    std::vector<std::string> texts{"a", "b"};
    auto refs = each_of(texts);
    for (std::string* text = co_await refs.next(); text != nullptr; text = co_await refs.next()) *text += '!';
    CHECK(texts == std::vector<std::string>{"a!", "b!"});
  });
}

TEST_CASE("async_generator: left half-way it destroys its locals, and one that never began has none") {
  manual_scheduler m;
  m.run([]() -> task<> {
    {
      auto const never = count_to(3);
      auto numbers = count_to(3);
      std::optional<int> const one = co_await numbers.next();
      CHECK(one == 1);
      CHECK(counted::alive == 1);
      auto moved = std::move(numbers);
      CHECK(counted::alive == 1);
      moved = count_to(3);
      CHECK(counted::alive == 0);
    }
    CHECK(counted::alive == 0);
  });
}

TEST_CASE("async_generator: a cancellation reaches the await inside, and has ended it") {
  gate g;
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto numbers = wait_at(g);
    auto const ask = [&]() -> task<> {
      std::optional<int> const one = co_await numbers.next();
      CHECK_FALSE(one.has_value());  // not reached
    };
    bool const in_time = co_await plait::move_on_after(1ms, ask);
    CHECK_FALSE(in_time);
    CHECK(counted::alive == 0);
    std::optional<int> const later = co_await numbers.next();
    CHECK_FALSE(later.has_value());
  });
  CHECK(g.cancels_asked() == 1);
}

TEST_CASE("async_generator: its awaits see the scopes of whoever asks, each time anew") {
  manual_scheduler m;
  m.run([]() -> task<> {
    auto numbers = count_to(3);
    auto const ask = [&]() -> task<> {
      std::optional<int> const one = co_await numbers.next();
      CHECK(one == 1);
    };
    bool const in_time = co_await plait::move_on_after(2ms, ask);
    CHECK(in_time);
    // That scope is gone, and its deadline would have passed.
    co_await sleep_for(5ms);
    std::optional<int> const two = co_await numbers.next();
    CHECK(two == 2);
  });
}

TEST_CASE("async_generator: tasks may take turns in asking") {
  manual_scheduler m;
  m.run([]() -> task<> {
    auto numbers = count_to(2);
    int sum = 0;
    auto const ask = [&]() -> task<> {
      std::optional<int> const one = co_await numbers.next();
      sum += one.value_or(100);
    };
    auto const in_turns = [&](plait::task_group& group) -> task<> {
      auto first = group.spawn(ask);
      co_await first;
      auto second = group.spawn(ask);
      co_await second;
    };
    co_await plait::with_task_group(in_turns);
    CHECK(sum == 3);
  });
}

TEST_CASE("async_generator: generators within generators, and a million values without an await") {
  manual_scheduler m;
  m.run([]() -> task<> {
    auto const walked = co_await all_of(walk(3));
    CHECK(walked == std::vector<int>{4, 3, 3, 3});
    auto many = at_once(1'000'000);
    long sum = 0;
    for (auto one = co_await many.next(); one; one = co_await many.next()) sum += *one;
    CHECK(sum == 499'999'500'000);
    auto const deep = co_await all_of(walk(1'000));
    CHECK(deep.size() == 1'001);
    CHECK(deep.front() == 1'001);
  });
}

TEST_CASE("async_generator: the task tree shows where it awaits, as a part of the task that asks") {
  gate g;
  manual_scheduler m;
  auto asking = m.start([&]() -> task<> {
    auto numbers = wait_at(g);
    std::optional<int> const one = co_await numbers.next();
    CHECK(one == 7);
  });
  m.run_until_idle();
  auto const tree = m.on_thread([&] { return plait::snapshot(m.sched()); });
  m.on_thread([&] { g.open(7); });
  m.run_until_idle();
  REQUIRE(asking.done());
#if PLAIT_TASK_TRACKING
  REQUIRE(tree.tasks.size() == 1);
  auto const& awaits = tree.tasks[0].awaits;
  REQUIRE(awaits.size() == 2);
  CHECK(awaits[0].function.find("wait_at") != std::string::npos);
  CHECK(awaits[0].line < awaits[1].line);
#endif
}

TEST_CASE("async_generator: close lets its co_yield throw, and awaits its cleanup") {
  manual_scheduler m;
  m.run([]() -> task<> {
    std::string log;
    auto numbers = with_cleanup(log);
    std::optional<int> one = co_await numbers.next();
    CHECK(one == 1);
    co_await numbers.close();
    CHECK(log == "ythe generator was closed;c");
    one = co_await numbers.next();
    CHECK_FALSE(one.has_value());
    co_await numbers.close();
    CHECK(log == "ythe generator was closed;c");
  });
}

TEST_CASE("async_generator: close lets one that has not begun never begin") {
  manual_scheduler m;
  m.run([]() -> task<> {
    std::string log;
    auto numbers = noted(log);
    co_await numbers.close();
    std::optional<int> const one = co_await numbers.next();
    CHECK_FALSE(one.has_value());
    CHECK(log.empty());
  });
}

TEST_CASE("async_generator: one that goes on after close gets no value out, each co_yield throws") {
  manual_scheduler m;
  m.run([]() -> task<> {
    int swallowed = 0;
    auto numbers = deaf(swallowed);
    std::optional<int> const one = co_await numbers.next();
    CHECK(one == 0);
    co_await numbers.close();
    CHECK(swallowed == 3);
    std::optional<int> const later = co_await numbers.next();
    CHECK_FALSE(later.has_value());
  });
}

TEST_CASE("async_generator: what its cleanup throws comes out of close") {
  manual_scheduler m;
  m.run([]() -> task<> {
    auto numbers = fails_in_cleanup();
    std::optional<int> const one = co_await numbers.next();
    CHECK(one == 1);
    bool failed = false;
    try {
      co_await numbers.close();
    } catch (std::out_of_range const&) {
      failed = true;
    }
    CHECK(failed);
  });
}

TEST_CASE("async_generator: asking or destroying it while a task is inside stops the program") {
  auto const asked_twice = plait::test::in_child([] {
    gate g;
    manual_scheduler m;
    auto numbers = wait_at(g);
    auto const ask = [&]() -> task<> { co_await numbers.next(); };
    m.start(ask);
    m.start(ask);
    m.run_until_idle();
  });
  CHECK(asked_twice.says("while another one awaits it"));
  auto const destroyed = plait::test::in_child([] {
    gate g;
    manual_scheduler m;
    auto numbers = std::make_unique<async_generator<int>>(wait_at(g));
    auto const ask = [&]() -> task<> { co_await numbers->next(); };
    m.start(ask);
    m.run_until_idle();
    numbers.reset();
  });
  CHECK(destroyed.says("destroyed while a task awaits its next value"));
}

TEST_CASE("for_each: functions and coroutines see each item, and may say that it is enough") {
  manual_scheduler m;
  m.run([]() -> task<> {
    std::vector<int> got;
    auto const add = [&got](int n) { got.push_back(n); };
    co_await for_each(count_to(3), add);
    CHECK(got == std::vector<int>{1, 2, 3});

    auto const add_two = [&got](int n) -> bool {
      got.push_back(n);
      return n < 2;
    };
    got.clear();
    co_await for_each(count_to(3), add_two);
    CHECK(got == std::vector<int>{1, 2});

    auto const add_later = [&got](int n) -> task<> {
      co_await sleep_for(1ms);
      got.push_back(n);
    };
    got.clear();
    co_await for_each(count_to(2), add_later);
    CHECK(got == std::vector<int>{1, 2});

    auto const add_one_later = [&got](int n) -> task<bool> {
      co_await sleep_for(1ms);
      got.push_back(n);
      co_return false;
    };
    got.clear();
    co_await for_each(count_to(2), add_one_later);
    CHECK(got == std::vector<int>{1});
    CHECK(counted::alive == 0);
  });
}

TEST_CASE("for_each: the generator is closed on every way out, also where the task is cancelled") {
  manual_scheduler m;
  m.run([]() -> task<> {
    std::string log;
    auto const enough = [](int n) { return n < 2; };
    co_await for_each(with_cleanup(log), enough);
    CHECK(log == "yythe generator was closed;c");

    log.clear();
    bool failed = false;
    auto const fail = [](int) { throw std::out_of_range("mine"); };
    try {
      co_await for_each(with_cleanup(log), fail);
    } catch (std::out_of_range const&) {
      failed = true;
    }
    CHECK(failed);
    CHECK(log == "ythe generator was closed;c");

    log.clear();
    auto const hang = [](int) -> task<> { co_await plait::sleep_forever(); };
    auto const hang_for_each = [&]() -> task<> { co_await for_each(with_cleanup(log), hang); };
    bool const in_time = co_await plait::move_on_after(1ms, hang_for_each);
    CHECK_FALSE(in_time);
    CHECK(log == "ythe generator was closed;c");
  });
}

TEST_CASE("for_each: what the generator throws comes out") {
  manual_scheduler m;
  m.run([]() -> task<> {
    int seen = 0;
    bool failed = false;
    auto const count = [&seen](int) { ++seen; };
    try {
      co_await for_each(fail_after(2), count);
    } catch (std::out_of_range const&) {
      failed = true;
    }
    CHECK(failed);
    CHECK(seen == 2);
  });
}
