// Groups: who joins, who drops, who fails; background tasks; turns.
#include "scenarios.hpp"

#include "support/operations.hpp"

#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/sequencer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using plait::testing::scenario;

namespace plait::test {
namespace {

task<> hold(counted) {
  co_await sleep_for(1ms);
  co_await yield();
}

task<counted> counted_after_ms(int ms) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  co_return counted(ms);
}

task<> fail_after_ms(int ms) {
  counted const local(ms);
  co_await sleep_for(std::chrono::milliseconds(ms));
  throw own_error();
}

task<> empty_groups() {
  for (int i = 0; i < 3; ++i) {
    co_await with_task_group([](task_group& g) -> task<> { co_await g.join(); });
    co_await yield();
  }
}

task<> children_joined_by_the_group() {
  co_await with_task_group([](task_group& g) -> task<> {
    for (int i = 0; i < 4; ++i) {
      g.spawn(hold, counted(i));
      co_await yield();
    }
  });
}

task<> children_joined_by_handles() {
  co_await with_task_group([](task_group& g) -> task<> {
    std::vector<join_handle<counted>> handles;
    for (int ms : {3, 1, 2}) handles.push_back(g.spawn(counted_after_ms, ms));
    int sum = 0;
    for (auto const& h : handles) {
      counted const got = co_await h;
      sum += got.value();
    }
    require(sum == 6, "another sum");
  });
}

task<> handles_that_are_dropped() {
  co_await with_task_group([](task_group& g) -> task<> {
    auto const kept = g.spawn(counted_after_ms, 2);
    for (int ms : {1, 3}) g.spawn(counted_after_ms, ms);
    {
      auto const dropped_late = g.spawn(counted_after_ms, 1);
      co_await yield();
    }
    counted const got = co_await kept;
    require(got.value() == 2, "another value");
  });
}

task<> handles_beyond_the_group() {
  std::optional<join_handle<counted>> kept;
  co_await with_task_group(
      [](task_group& g, auto* into) -> task<> {
        into->emplace(g.spawn(counted_after_ms, 2));
        bool const in_time = co_await move_on_after(
            1us, [](auto* h) -> task<> { counted const never = co_await **h; }, into);
        require(!in_time, "it was joined at once");
      },
      &kept);
  counted const got = co_await *kept;
  require(got.value() == 2, "another value");
}

task<> spawn_more(task_group& g, counted kept, int generations) {
  co_await yield();
  if (generations > 0) {
    for (int i = 0; i < 2; ++i) g.spawn(spawn_more, std::ref(g), kept, generations - 1);
  }
  co_await sleep_for(1ms);
}

task<> children_that_spawn() {
  co_await with_task_group([](task_group& g) -> task<> {
    g.spawn(spawn_more, std::ref(g), counted(1), 3);
    co_await g.join();
  });
}

task<> many_children() {
  co_await with_task_group([](task_group& g) -> task<> {
    counted const local(1);
    for (int i = 0; i < 20; ++i) g.spawn(hold, counted(i));
    co_await g.join();
  });
}

task<> groups_in_groups(int depth) {
  co_await with_task_group(
      [](task_group& g, int deeper) -> task<> {
        g.spawn(hold, counted(deeper));
        if (deeper > 0) g.spawn(groups_in_groups, deeper - 1);
        co_await yield();
      },
      depth);
}

task<> nested_groups() { co_await groups_in_groups(4); }

task<> a_child_fails() {
  bool caught = false;
  try {
    co_await with_task_group([](task_group& outer) -> task<> {
      outer.spawn(hold, counted(1));
      co_await with_task_group([](task_group& inner) -> task<> {
        inner.spawn(nap, 20);
        inner.spawn(fail_after_ms, 2);
        co_await inner.join();
      });
    });
  } catch (own_error const&) {
    caught = true;
  }
  require(caught, "the failure was lost");
}

task<> the_body_fails() {
  bool caught = false;
  try {
    co_await with_task_group([](task_group& g) -> task<> {
      for (int i = 0; i < 3; ++i) g.spawn(nap, 20);
      co_await yield();
      throw own_error();
    });
  } catch (own_error const&) {
    caught = true;
  }
  require(caught, "the failure was lost");
}

task<> fail_when_cancelled() {
  try {
    co_await sleep_forever();
  } catch (cancelled const&) {
    throw own_error();
  }
}

// Their failures are many, so that the list of them grows.
task<> all_children_fail() {
  bool caught = false;
  try {
    co_await with_task_group([](task_group& g) -> task<> {
      for (int i = 0; i < 9; ++i) g.spawn(fail_when_cancelled);
      co_await yield();
      throw own_error();
    });
  } catch (own_error const&) {
    caught = true;
  }
  require(caught, "the failures were lost");
}

task<> a_failure_that_is_joined() {
  bool caught = false;
  try {
    co_await with_task_group([](task_group& g) -> task<> {
      auto const failing = g.spawn(fail_after_ms, 1);
      auto const waiting = g.spawn(nap, 5);
      try {
        co_await failing;
      } catch (own_error const&) {
      }
      co_await waiting;
    });
  } catch (own_error const&) {
    caught = true;
  }
  require(caught, "the failure was lost");
}

task<> a_group_is_cancelled() {
  bool joiner_knew = false;
  std::optional<join_handle<void>> kept;
  co_await with_task_group(
      [](task_group& g, auto* into) -> task<> {
        into->emplace(g.spawn(nap, 50));
        g.spawn(hold, counted(1));
        co_await nap(2);
        g.cancel();
      },
      &kept);
  try {
    co_await *kept;
  } catch (task_cancelled const&) {
    joiner_knew = true;
  }
  require(joiner_knew, "the joiner was not told");
}

task<> spawned_into_a_cancelled_group() {
  co_await with_task_group([](task_group& g) -> task<> {
    g.cancel();
    for (int i = 0; i < 3; ++i) g.spawn(hold, counted(i));
    co_await g.join();
  });
}

task<> use_arguments(std::string text, std::unique_ptr<counted> owned, counted kept) {
  co_await yield();
  require(text.size() > 30 && owned->value() == kept.value(), "another argument");
  co_await sleep_for(1ms);
}

task<> children_with_arguments() {
  std::string const text = "a text that is too long for a small string";
  co_await with_task_group(
      [](task_group& g, std::string const* words) -> task<> {
        for (int i = 0; i < 3; ++i) {
          g.spawn(use_arguments, *words, std::make_unique<counted>(i), counted(i));
        }
        std::vector<counted> several(3, counted(7));
        auto const closure = [several, words](std::string_view more) -> task<> {
          co_await yield();
          require(several.size() == 3 && words->size() + more.size() > 30, "another capture");
          co_await yield();
        };
        g.spawn(closure, "more");
        g.spawn(closure, std::string("a second text that is too long for a small string"));
        co_await g.join();
      },
      &text);
}

task<> calls_that_throw_in_spawn() {
  struct thrower {
    task<> operator()(counted) const { throw own_error(); }
  };
  co_await with_task_group([](task_group& g) -> task<> {
    int thrown = 0;
    for (int i = 0; i < 2; ++i) {
      g.spawn(hold, counted(i));
      try {
        g.spawn(thrower(), counted(i));
      } catch (own_error const&) {
        ++thrown;
      }
    }
    require(thrown == 2, "spawn did not throw");
    co_await yield();
  });
}

task<> background_tasks() {
  auto& background = scheduler::current().background();
  auto const joined = background.spawn(counted_after_ms, 2);
  background.spawn(nap, 90'000);  // the end of the run cancels it
  background.spawn(hold, counted(1));
  co_await nap(1);
  counted const got = co_await joined;
  require(got.value() == 2, "another value");
}

task<> spawn_in_the_background(int generations) {
  co_await yield();
  if (generations > 0) {
    scheduler::current().background().spawn(spawn_in_the_background, generations - 1);
  }
  co_await sleep_for(1ms);
}

task<> background_tasks_that_spawn() {
  scheduler::current().background().spawn(spawn_in_the_background, 4);
  co_await nap(2);
}

task<> background_tasks_that_fail() {
  for (int i = 0; i < 3; ++i) scheduler::current().background().spawn(fail_after_ms, i);
  co_await nap(2);
}

task<> play(testing::sequencer& order, int first) {
  try {
    for (int n = first; n < 6; n += 2) co_await order.turn(n);
  } catch (testing::sequencer_broken const&) {
  }
}

task<> turns() {
  testing::sequencer order;
  co_await with_task_group(
      [](task_group& g, testing::sequencer* o) -> task<> {
        g.spawn(play, std::ref(*o), 1);
        g.spawn(play, std::ref(*o), 0);
        co_await g.join();
      },
      &order);
}

}  // namespace

void add_group_scenarios(std::vector<scenario>& to) {
  to.push_back({.name = "empty groups", .body = empty_groups});
  to.push_back({.name = "children joined by the group", .body = children_joined_by_the_group});
  to.push_back({.name = "children joined by handles", .body = children_joined_by_handles});
  to.push_back({.name = "handles that are dropped", .body = handles_that_are_dropped});
  to.push_back({.name = "handles beyond the group", .body = handles_beyond_the_group});
  to.push_back({.name = "children that spawn", .body = children_that_spawn});
  to.push_back({.name = "many children", .body = many_children});
  to.push_back({.name = "nested groups", .body = nested_groups});
  to.push_back({.name = "a child fails", .body = a_child_fails});
  to.push_back({.name = "the body fails", .body = the_body_fails});
  to.push_back({.name = "all children fail", .body = all_children_fail, .handles_errors = true});
  // What comes after the first failure is kept in the group's list alone.
  to.push_back({.name = "a failure that is joined",
                .body = a_failure_that_is_joined,
                .handles_errors = true});
  to.push_back({.name = "a group is cancelled", .body = a_group_is_cancelled});
  to.push_back({.name = "spawned into a cancelled group", .body = spawned_into_a_cancelled_group});
  to.push_back({.name = "children with arguments", .body = children_with_arguments});
  to.push_back({.name = "calls that throw in spawn", .body = calls_that_throw_in_spawn});
  to.push_back({.name = "background tasks", .body = background_tasks});
  to.push_back({.name = "background tasks that spawn", .body = background_tasks_that_spawn});
  to.push_back({.name = "background tasks that fail",
                .body = background_tasks_that_fail,
                .handles_errors = true});
  to.push_back({.name = "turns", .body = turns});
}

}  // namespace plait::test
