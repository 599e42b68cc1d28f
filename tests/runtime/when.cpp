#include <plait/when.hpp>

#include "support/operations.hpp"
#include "support/throw_count.hpp"

#include <plait/sleep.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <variant>

using namespace std::chrono_literals;
using plait::cancelled;
using plait::move_on_after;
using plait::sleep_for;
using plait::task;
using plait::task_group;
using plait::when_all;
using plait::when_any;
using plait::test::counted;
using plait::test::gate;
using plait::testing::manual_scheduler;

namespace {

task<int> value_after_ms(int ms, int value) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  co_return value;
}
task<> note_after_ms(int ms, std::string& order, char name) {
  try {
    co_await sleep_for(std::chrono::milliseconds(ms));
    order += name;
  } catch (cancelled const&) {
    order += static_cast<char>(name - 'a' + 'A');
    throw;
  }
}
task<int> fail_after_ms(int ms, char const* what) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  throw std::runtime_error(what);
}
task<int&> reference_to(int& n) { co_return n; }

}  // namespace

TEST_CASE("when_all: it gives every value, in the order of the arguments") {
  manual_scheduler m;
  m.run([]() -> task<> {
    auto const [a, b, c] =
        co_await when_all(value_after_ms(3, 1), value_after_ms(1, 2), value_after_ms(2, 3));
    CHECK(a == 1);
    CHECK(b == 2);
    CHECK(c == 3);
  });
}

TEST_CASE("when_all: it takes as long as the longest") {
  manual_scheduler m;
  auto const begin = m.io().now();
  std::string order;
  m.run([&]() -> task<> {
    co_await when_all(note_after_ms(3, order, 'c'), note_after_ms(1, order, 'a'),
                      note_after_ms(2, order, 'b'));
  });
  CHECK(order == "abc");
  CHECK(m.io().now() - begin == 3ms);
}

TEST_CASE("when_all: the tasks start in the order of the arguments") {
  manual_scheduler m;
  std::string order;
  auto const note = [&](char name) -> task<> {
    order += name;
    co_return;
  };
  m.run([&]() -> task<> { co_await when_all(note('a'), note('b'), note('c'), note('d')); });
  CHECK(order == "abcd");
}

TEST_CASE("when_all: of nothing, of one, of tasks without a value and of references") {
  manual_scheduler m;
  int n = 5;
  m.run([&]() -> task<> {
    std::tuple<> const none = co_await when_all();
    static_cast<void>(none);
    auto const [one] = co_await when_all(value_after_ms(1, 7));
    CHECK(one == 7);
    std::string order;
    std::tuple<std::monostate> const unit = co_await when_all(note_after_ms(1, order, 'x'));
    static_cast<void>(unit);
    CHECK(order == "x");
    auto const [ref] = co_await when_all(reference_to(n));
    CHECK(&ref == &n);
  });
}

TEST_CASE("when_all: operations and tasks together") {
  manual_scheduler m;
  gate g;
  std::tuple<int, std::monostate, int> got;
  auto const handle = m.start(
      [&]() -> task<> { got = co_await when_all(g.wait(), sleep_for(2ms), value_after_ms(1, 3)); });
  m.run_until_idle();
  m.on_thread([&] { g.open(8); });
  m.run_until_quiet();
  REQUIRE(handle.done());
  CHECK(std::get<0>(got) == 8);
  CHECK(std::get<2>(got) == 3);
}

TEST_CASE("when_all: a handle is joined") {
  manual_scheduler m;
  auto const handle = m.start(value_after_ms, 2, 4);
  int sum = 0;
  m.run([&]() -> task<> {
    auto const [a, b] = co_await when_all(handle, value_after_ms(1, 5));
    sum = a + b;
  });
  CHECK(sum == 9);
}

TEST_CASE("when_all: the first failure cancels the others, waits for them and is rethrown") {
  manual_scheduler m;
  std::string order;
  std::string what;
  m.run([&]() -> task<> {
    try {
      co_await when_all(note_after_ms(50, order, 'a'), fail_after_ms(1, "boom"),
                        note_after_ms(60, order, 'b'));
    } catch (std::runtime_error const& e) {
      what = e.what();
    }
  });
  CHECK(what == "boom");
  CHECK(order == "AB");
  CHECK(m.sched().cancelled_scopes == 0);
}

TEST_CASE("when_all: values that were there when another failed are destroyed") {
  manual_scheduler m;
  bool failed = false;
  auto const make = []() -> task<counted> { co_return counted(1); };
  m.run([&]() -> task<> {
    try {
      co_await when_all(make(), fail_after_ms(1, "boom"), make());
    } catch (std::runtime_error const&) {
      failed = true;
    }
  });
  CHECK(failed);
  CHECK(counted::alive == 0);
}

TEST_CASE("when_all: a cancellation from outside reaches all of them") {
  manual_scheduler m;
  std::string order;
  m.run([&]() -> task<> {
    bool const finished = co_await move_on_after(2ms, [&]() -> task<> {
      co_await when_all(note_after_ms(1, order, 'a'), note_after_ms(9, order, 'b'),
                        note_after_ms(9, order, 'c'));
    });
    CHECK_FALSE(finished);
  });
  CHECK(order == "aBC");
}

TEST_CASE("when_any: the first to complete wins, the losers are cancelled and awaited") {
  manual_scheduler m;
  auto const begin = m.io().now();
  std::string order;
  m.run([&]() -> task<> {
    auto const first = co_await when_any(note_after_ms(30, order, 'a'), value_after_ms(10, 5),
                                         note_after_ms(20, order, 'b'));
    CHECK(first.index == 1);
    CHECK_FALSE(std::get<0>(first.values).has_value());
    CHECK(std::get<1>(first.values) == 5);
    CHECK_FALSE(std::get<2>(first.values).has_value());
  });
  CHECK(order == "AB");
  CHECK(m.io().now() - begin == 10ms);
  CHECK(m.sched().cancelled_scopes == 0);
  CHECK(m.sched().timers().armed() == 0);
}

TEST_CASE("when_any: where all give one type, the winner's value can be had without its index") {
  manual_scheduler m;
  int value = 0;
  m.run([&]() -> task<> {
    auto first =
        co_await when_any(value_after_ms(30, 1), value_after_ms(10, 2), value_after_ms(20, 3));
    value = first.value();
  });
  CHECK(value == 2);
}

TEST_CASE("when_any: of two that complete in the same turn one wins, and both values are kept") {
  manual_scheduler m;
  gate a;
  gate b;
  gate c;
  plait::first_of<int, int, int> got;
  auto const handle =
      m.start([&]() -> task<> { got = co_await when_any(a.wait(), b.wait(), c.wait()); });
  m.run_until_idle();
  m.on_thread([&] {
    c.open(3);
    a.open(1);
  });
  m.run_until_idle();
  REQUIRE(handle.done());
  CHECK(got.index == 2);
  CHECK(std::get<0>(got.values) == 1);
  CHECK_FALSE(std::get<1>(got.values).has_value());
  CHECK(std::get<2>(got.values) == 3);
}

TEST_CASE("when_any: a loser that returns a value in spite of the cancellation keeps it") {
  manual_scheduler m;
  auto const stubborn = []() -> task<int> {
    try {
      co_await plait::sleep_forever();
    } catch (cancelled const&) {
    }
    co_return 7;
  };
  m.run([&]() -> task<> {
    auto const got = co_await when_any(stubborn(), value_after_ms(1, 2));
    CHECK(got.index == 1);
    CHECK(std::get<0>(got.values) == 7);
    CHECK(std::get<1>(got.values) == 2);
  });
}

TEST_CASE("when_any: a loser whose operation the kernel completes all the same is not lost") {
  manual_scheduler m;
  gate slow;
  gate quick;
  slow.obedient = false;
  plait::first_of<int, int> got;
  auto const handle =
      m.start([&]() -> task<> { got = co_await when_any(slow.wait(), quick.wait()); });
  m.run_until_idle();
  m.on_thread([&] { quick.open(1); });
  m.run_until_idle();
  CHECK_FALSE(handle.done());  // awaited
  CHECK(slow.cancels_asked() == 1);
  m.on_thread([&] { slow.open(2); });
  m.run_until_idle();
  REQUIRE(handle.done());
  CHECK(got.index == 1);
  CHECK(std::get<0>(got.values) == 2);
}

TEST_CASE("when_any: a failure counts as completing and is rethrown") {
  manual_scheduler m;
  std::string order;
  std::string what;
  m.run([&]() -> task<> {
    try {
      co_await when_any(note_after_ms(9, order, 'a'), fail_after_ms(1, "boom"));
    } catch (std::runtime_error const& e) {
      what = e.what();
    }
  });
  CHECK(what == "boom");
  CHECK(order == "A");
}

TEST_CASE("when_any: a cancellation from outside passes through") {
  manual_scheduler m;
  std::string order;
  bool went_on = false;
  m.run([&]() -> task<> {
    bool const finished = co_await move_on_after(1ms, [&]() -> task<> {
      co_await when_any(note_after_ms(9, order, 'a'), sleep_for(9ms));
      went_on = true;
    });
    CHECK_FALSE(finished);
  });
  CHECK_FALSE(went_on);
  CHECK(order == "A");
}

TEST_CASE("when_any: already cancelled, its operations do not even begin") {
  manual_scheduler m;
  gate g;
  m.run([&]() -> task<> {
    bool const finished = co_await move_on_after(
        0ms, [&]() -> task<> { co_await when_any(g.wait(), sleep_for(1ms)); });
    CHECK_FALSE(finished);
  });
  CHECK(g.cancels_asked() == 0);
}

TEST_CASE("when_any: over operations nothing is thrown internally") {
  manual_scheduler m;
  gate a;
  gate b;
  long before = 0;
  long after = 0;
  auto const handle = m.start([&]() -> task<> {
    before = plait::test::throws_on_this_thread();
    auto const got = co_await when_any(a.wait(), b.wait(), sleep_for(1h));
    after = plait::test::throws_on_this_thread();
    CHECK(got.index == 1);
  });
  m.run_until_idle();
  m.on_thread([&] { b.open(); });
  m.run_until_idle();
  REQUIRE(handle.done());
  CHECK(after == before);
}

TEST_CASE("when_any: a join that loses leaves its child running") {
  manual_scheduler m;
  auto const handle = m.start(value_after_ms, 5, 4);
  m.run([&]() -> task<> {
    auto const got = co_await when_any(handle, sleep_for(1ms));
    CHECK(got.index == 1);
    CHECK_FALSE(handle.done());
    int const later = co_await handle;
    CHECK(later == 4);
  });
}

TEST_CASE("when_any and when_all nest in each other") {
  manual_scheduler m;
  auto const begin = m.io().now();
  m.run([&]() -> task<> {
    auto const got = co_await when_any(when_all(value_after_ms(3, 1), value_after_ms(5, 2)),
                                       when_all(value_after_ms(1, 3), value_after_ms(9, 4)));
    CHECK(got.index == 0);
    REQUIRE(std::get<0>(got.values).has_value());
    CHECK(*std::get<0>(got.values) == std::tuple(1, 2));

    auto const [x, y] = co_await when_all(when_any(value_after_ms(1, 1), value_after_ms(2, 2)),
                                          when_any(value_after_ms(4, 3), value_after_ms(3, 4)));
    CHECK(x.index == 0);
    CHECK(y.index == 1);
  });
  CHECK(m.io().now() - begin == 8ms);
  CHECK(m.sched().cancelled_scopes == 0);
}

TEST_CASE("when_any: move-only values arrive") {
  manual_scheduler m;
  auto const box = [](int n) -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(n); };
  m.run([&]() -> task<> {
    auto got = co_await when_any(box(3), value_after_ms(1, 1));
    CHECK(got.index == 0);
    std::unique_ptr<int> const taken = std::move(*std::get<0>(got.values));
    CHECK(*taken == 3);
  });
}
