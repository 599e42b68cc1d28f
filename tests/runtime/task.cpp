// A task's life, by state and event:
//
//   state          | awaited          | dropped             | cancelled          | body throws
//   never started  | runs             | nothing runs        | runs to its first  | -
//                  |                  |                     | cancel point       |
//   running        | (not possible)   | (not possible)      | (tests of cancel)  | awaiter gets it
//   suspended      | assertion: twice | (only by cancel)    | (tests of cancel)  | -
//   done           | assertion: twice | frees frame, value  | keeps its value    | rethrown once
#include <plait/task.hpp>

#include "support/death.hpp"
#include "support/operations.hpp"

#include <plait/cancel.hpp>
#include <plait/sleep.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using plait::task;
using plait::test::counted;
using plait::test::in_child;
using plait::testing::manual_scheduler;

namespace {

task<int> answer() { co_return 42; }
task<> nothing() { co_return; }
task<std::unique_ptr<int>> boxed(int n) { co_return std::make_unique<int>(n); }
task<int&> same(int& n) { co_return n; }
task<int const&> same_const(int const& n) { co_return n; }
task<int> fails() {
  throw std::runtime_error("fails");
  co_return 0;
}
task<std::string> relayed(std::string text) {
  std::string const got = co_await [](std::string t) -> task<std::string> { co_return t; }(text);
  co_return got + got;
}

static_assert(!std::is_copy_constructible_v<task<int>>);
static_assert(std::is_nothrow_move_constructible_v<task<int>>);
static_assert(std::is_same_v<task<>, task<void>>);
static_assert(plait::task_function<decltype(answer)>);
static_assert(!plait::task_function<int (*)()>);

struct throws_when_moved {
  throws_when_moved() = default;
  throws_when_moved(throws_when_moved&&) { throw std::runtime_error("cannot be moved"); }
};
task<throws_when_moved> gives_what_cannot_be_moved() {
  throws_when_moved value;
  co_return std::move(value);
}

struct throws_at_its_end {
  ~throws_at_its_end() noexcept(false) { throw std::runtime_error("destructor"); }
};
task<counted> value_then_throwing_local() {
  throws_at_its_end const local;
  co_return counted(1);
}

}  // namespace

TEST_CASE("task: a value reaches the awaiter") {
  manual_scheduler m;
  CHECK(m.run(answer) == 42);
  CHECK(m.run(relayed, std::string("ab")) == "abab");
}

TEST_CASE("task: one without a value runs to its end") {
  manual_scheduler m;
  bool ran = false;
  m.run([&]() -> task<> {
    co_await nothing();
    ran = true;
  });
  CHECK(ran);
}

TEST_CASE("task: a move-only value is moved to the awaiter") {
  manual_scheduler m;
  std::unique_ptr<int> const got = m.run(boxed, 7);
  REQUIRE(got != nullptr);
  CHECK(*got == 7);
}

TEST_CASE("task: a reference is the object itself") {
  manual_scheduler m;
  int n = 1;
  int* got = nullptr;
  int const* got_const = nullptr;
  m.run([&]() -> task<> {
    int& there = co_await same(n);
    got = &there;
    int const& const_there = co_await same_const(n);
    got_const = &const_there;
  });
  CHECK(got == &n);
  CHECK(got_const == &n);
}

TEST_CASE("task: an exception reaches the awaiter as it is") {
  manual_scheduler m;
  std::string what;
  m.run([&]() -> task<> {
    try {
      co_await fails();
    } catch (std::runtime_error const& e) {
      what = e.what();
    }
  });
  CHECK(what == "fails");
  CHECK_THROWS_AS(m.run(fails), std::runtime_error);
}

TEST_CASE("task: a value whose move throws arrives as that exception") {
  manual_scheduler m;
  CHECK_THROWS_WITH(m.run(gives_what_cannot_be_moved), "cannot be moved");
}

TEST_CASE("task: an exception from a local's destructor replaces the value and frees it") {
  manual_scheduler m;
  CHECK_THROWS_WITH(m.run(value_then_throwing_local), "destructor");
  CHECK(counted::alive == 0);
}

TEST_CASE("task: one that is never awaited never runs, and frees its arguments") {
  manual_scheduler m;
  bool ran = false;
  m.run([&]() -> task<> {
    auto const body = [](bool& flag, counted) -> task<> {
      flag = true;
      co_return;
    };
    {
      task<> const never = body(ran, counted(1));
      CHECK(counted::alive == 1);
    }
    CHECK(counted::alive == 0);
    co_return;
  });
  CHECK_FALSE(ran);
}

TEST_CASE(
    "task: its arguments live until it has been awaited, its value as long as the awaiter says") {
  manual_scheduler m;
  m.run([]() -> task<> {
    auto const body = [](counted c) -> task<counted> { co_return c; };
    {
      counted const got = co_await body(counted(5));
      CHECK(got.value() == 5);
      CHECK(counted::alive == 1);
    }
    CHECK(counted::alive == 0);
  });
  CHECK(counted::alive == 0);
}

TEST_CASE("task: it can be named, moved and then awaited") {
  manual_scheduler m;
  int const got = m.run([]() -> task<int> {
    task<int> first = answer();
    task<int> second = std::move(first);
    task<int> third = fails();
    third = std::move(second);
    co_return co_await std::move(third);
  });
  CHECK(got == 42);
}

TEST_CASE("task: many can be kept in a container and awaited in any order") {
  manual_scheduler m;
  int const sum = m.run([]() -> task<int> {
    std::vector<task<int>> tasks;
    for (int i = 0; i < 10; ++i) tasks.push_back(answer());
    int total = 0;
    while (!tasks.empty()) {
      total += co_await std::move(tasks.back());
      tasks.pop_back();
    }
    co_return total;
  });
  CHECK(sum == 420);
}

TEST_CASE("task: awaiting one is no cancel point") {
  manual_scheduler m;
  int got = 0;
  m.run([&]() -> task<> {
    co_await plait::with_cancel_scope([&](plait::cancel_scope& scope) -> task<> {
      scope.cancel();
      got = co_await answer();
    });
  });
  CHECK(got == 42);
}

#if PLAIT_ASSERTIONS
TEST_CASE("task: awaiting it twice is refused") {
  auto const end = in_child([] {
    manual_scheduler m;
    m.run([]() -> task<> {
      task<int> once = answer();
      static_cast<void>(co_await std::move(once));
      static_cast<void>(co_await std::move(once));
    });
  });
  CHECK(end.aborted());
  CHECK(end.says("a task was awaited twice"));
}

TEST_CASE("task: awaiting one that was moved away is refused") {
  auto const end = in_child([] {
    manual_scheduler m;
    m.run([]() -> task<> {
      task<int> here = answer();
      task<int> const there = std::move(here);
      static_cast<void>(co_await std::move(here));
    });
  });
  CHECK(end.aborted());
  CHECK(end.says("a task was awaited that had been moved away"));
}
#endif

TEST_CASE("task: destroying one that is suspended in an operation is refused in every build") {
  auto const end = in_child([] {
    manual_scheduler m;
    plait::test::gate g;
    plait::detail::task_state* state = nullptr;
    m.start([&]() -> task<> {
      state = &co_await plait::detail::this_task_state();
      co_await g.wait();
    });
    m.run_until_idle();
    state->leaf->handle().destroy();  // what a combinator must never do
  });
  CHECK(end.aborted());
  CHECK(end.says("an operation was destroyed in flight"));
}

TEST_CASE("task: each frame knows its parent and the line of the await it stands at") {
  manual_scheduler m;
  plait::test::gate g;
  unsigned inner_line = 0;
  unsigned outer_line = 0;
  plait::detail::task_state* state = nullptr;
  auto const inner = [&]() -> task<> {
    state = &co_await plait::detail::this_task_state();
    inner_line = __LINE__ + 1;
    co_await g.wait();
  };
  auto const outer = [&]() -> task<> {
    outer_line = __LINE__ + 1;
    co_await inner();
  };
  auto const handle = m.start(outer);
  m.run_until_idle();
  REQUIRE(state != nullptr);

  plait::detail::frame_link const* const leaf = state->leaf;
  CHECK(leaf->await_at.line() == inner_line);
  CHECK(std::string(leaf->await_at.file_name()).find("task.cpp") != std::string::npos);
  REQUIRE(leaf->parent != nullptr);
  auto const* const above = static_cast<plait::detail::frame_link const*>(leaf->parent);
  CHECK(above->await_at.line() == outer_line);
  CHECK(above->parent == &state->link);
  CHECK(leaf->owner == state);
  CHECK(state->blocked != nullptr);

  m.on_thread([&] { g.open(); });
  m.run_until_idle();
  CHECK(handle.done());
}

TEST_CASE("task: completion clears what the task is blocked on at once") {
  manual_scheduler m;
  plait::test::gate g;
  plait::detail::task_state* state = nullptr;
  auto const handle = m.start([&]() -> task<> {
    state = &co_await plait::detail::this_task_state();
    co_await g.wait();
  });
  m.run_until_idle();
  REQUIRE(state != nullptr);
  CHECK(state->blocked != nullptr);
  m.on_thread([&] { g.open(); });
  CHECK(state->blocked == nullptr);
  CHECK_FALSE(handle.done());
  m.run_until_idle();
  CHECK(handle.done());
}

TEST_CASE("task: an operation can be moved until it is awaited") {
  manual_scheduler m;
  auto const before = m.io().now();
  m.run([]() -> task<> {
    auto first = plait::sleep_for(3ms);
    auto second = std::move(first);
    co_await std::move(second);
  });
  CHECK(m.io().now() - before == 3ms);
}
