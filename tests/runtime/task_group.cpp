// A child's life, by state and event:
//
//   state        | group cancelled       | child throws     | child completes | handle dropped
//   not started  | still starts, runs to | -                | -               | runs, is freed
//                | its first cancel point|                  |                 | at its end
//   running      | next await throws     | siblings and     | value kept for  | runs, is freed
//   waiting      | this await throws     | body cancelled,  | the handle      | at its end
//                |                       | group rethrows   |                 |
//   done         | keeps its value       | -                | -               | freed at once
#include <plait/task_group.hpp>

#include "support/operations.hpp"

#include <plait/sleep.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using plait::cancelled;
using plait::join_handle;
using plait::move_on_after;
using plait::sleep_for;
using plait::sleep_forever;
using plait::task;
using plait::task_cancelled;
using plait::task_group;
using plait::with_cancel_scope;
using plait::with_task_group;
using plait::test::counted;
using plait::test::gate;
using plait::testing::manual_scheduler;

namespace {

task<> fail_after_ms(int ms, std::string what) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  throw std::runtime_error(what);
}

task<> note_end(int ms, std::string& order, std::string name) {
  try {
    co_await sleep_for(std::chrono::milliseconds(ms));
    order += name + " done, ";
  } catch (cancelled const&) {
    order += name + " cancelled, ";
    throw;
  }
}

task<int> value_after_ms(int ms, int value) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  co_return value;
}

std::string what_is(std::exception_ptr const& error) {
  try {
    std::rethrow_exception(error);
  } catch (std::exception const& e) {
    return e.what();
  } catch (cancelled const&) {
    return "cancelled";
  }
}

// Runs the body in a group on a scheduler of its own; gives what it threw.
template <class Fn>
std::string outcome_of(Fn const& body) {
  manual_scheduler m;
  std::string outcome = "returned";
  try {
    m.run([&]() -> task<> { co_await with_task_group(std::ref(body)); });
  } catch (std::exception const& e) {
    outcome = e.what();
  }
  CHECK(m.sched().cancelled_scopes == 0);
  CHECK(m.sched().timers().armed() == 0);
  return outcome;
}

}  // namespace

TEST_CASE("task group: it returns when every child has ended") {
  std::string order;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(note_end, 2, std::ref(order), "b");
    g.spawn(note_end, 1, std::ref(order), "a");
    order += "body ends, ";
    co_return;
  };
  CHECK(outcome_of(body) == "returned");
  CHECK(order == "body ends, a done, b done, ");
}

TEST_CASE("task group: it gives the body's value, after the children have ended") {
  manual_scheduler m;
  std::string order;
  int got = 0;
  m.run([&]() -> task<> {
    got = co_await with_task_group([&](task_group& g) -> task<int> {
      g.spawn(note_end, 1, std::ref(order), "child");
      co_return 5;
    });
  });
  CHECK(got == 5);
  CHECK(order == "child done, ");
}

TEST_CASE("task group: arguments of with_task_group reach the body") {
  manual_scheduler m;
  auto const body = [](task_group&, std::string a, int& b) -> task<std::string> {
    ++b;
    co_return a + "!";
  };
  int n = 1;
  std::string const got = m.run([&]() -> task<std::string> {
    co_return co_await with_task_group(body, std::string("hello"), std::ref(n));
  });
  CHECK(got == "hello!");
  CHECK(n == 2);
}

TEST_CASE(
    "task group: the first failure cancels the siblings and the body, and is rethrown as it is") {
  std::string order;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(note_end, 50, std::ref(order), "sibling");
    g.spawn(fail_after_ms, 1, "the first");
    co_await note_end(60, order, "body");
  };
  CHECK(outcome_of(body) == "the first");
  CHECK((order == "sibling cancelled, body cancelled, " ||
         order == "body cancelled, sibling cancelled, "));
}

TEST_CASE("task group: a failing body cancels its children and is rethrown") {
  std::string order;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(note_end, 50, std::ref(order), "child");
    co_await plait::yield();
    throw std::runtime_error("the body");
  };
  CHECK(outcome_of(body) == "the body");
  CHECK(order == "child cancelled, ");
}

TEST_CASE("task group: all failures are kept, in order, and the first is thrown") {
  std::vector<std::string> failures;
  auto const late_failure = [](std::string what) -> task<> {
    bool stopped = false;
    try {
      co_await sleep_forever();
    } catch (cancelled const&) {
      stopped = true;
    }
    if (stopped) throw std::runtime_error(what);
  };
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(late_failure, "second");
    g.spawn(late_failure, "third");
    g.spawn(fail_after_ms, 1, "first");
    co_await g.join();
    for (auto const& f : g.failures()) failures.push_back(what_is(f));
  };
  CHECK(outcome_of(body) == "first");
  CHECK(failures == std::vector<std::string>{"first", "second", "third"});
}

TEST_CASE("task group: one exception that several tasks pass on is kept once") {
  std::size_t kept = 0;
  auto const body = [&](task_group& g) -> task<> {
    auto const error = std::make_exception_ptr(std::runtime_error("shared"));
    auto const rethrow = [&]() -> task<> {
      std::rethrow_exception(error);
      co_return;
    };
    g.spawn(rethrow);
    g.spawn(rethrow);
    co_await g.join();
    kept = g.failures().size();
    std::rethrow_exception(error);
  };
  CHECK(outcome_of(body) == "shared");
  CHECK(kept == 1);
}

TEST_CASE("task group: joining a failed child in the body does not double its failure") {
  std::size_t kept = 0;
  auto const body = [&](task_group& g) -> task<> {
    auto const handle = g.spawn(fail_after_ms, 1, "child");
    std::exception_ptr error;
    try {
      co_await handle;
    } catch (std::runtime_error const&) {
      error = std::current_exception();
    }
    kept = g.failures().size();
    if (error) std::rethrow_exception(error);
  };
  CHECK(outcome_of(body) == "child");
  CHECK(kept == 1);
}

TEST_CASE("task group: cancelling it ends children and body, and it returns normally") {
  std::string order;
  bool after = false;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(note_end, 50, std::ref(order), "waiting");
    co_await plait::yield();
    g.cancel();
    g.spawn(note_end, 50, std::ref(order), "late");
    co_await plait::yield();
    after = true;
  };
  CHECK(outcome_of(body) == "returned");
  CHECK_FALSE(after);
  CHECK(order == "waiting cancelled, late cancelled, ");
}

TEST_CASE("task group: one that is cancelled before its body has a value throws task_cancelled") {
  manual_scheduler m;
  auto const body = [](task_group& g) -> task<int> {
    g.cancel();
    co_await plait::yield();
    co_return 1;
  };
  CHECK_THROWS_AS(m.run([&]() -> task<> { static_cast<void>(co_await with_task_group(body)); }),
                  task_cancelled);
}

TEST_CASE("task group: a child in a cancelled group still runs to its first cancel point") {
  manual_scheduler m;
  std::string way;
  auto const child = [&](counted argument) -> task<> {
    way += "started with " + std::to_string(argument.value()) + ", ";
    co_await plait::yield();
    way += "went on";
  };
  m.run([&]() -> task<> {
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn(child, counted(1));  // spawned before, not started when the group is cancelled
      g.cancel();
      g.spawn(child, counted(2));
      co_return;
    });
  });
  CHECK(way == "started with 1, started with 2, ");
  CHECK(counted::alive == 0);
}

TEST_CASE("task group: a child that was done before the cancellation keeps its value") {
  int got = 0;
  auto const body = [&](task_group& g) -> task<> {
    auto const handle = g.spawn(value_after_ms, 1, 8);
    co_await sleep_for(2ms);
    g.cancel();
    CHECK(handle.done());
    got = handle.take();
  };
  CHECK(outcome_of(body) == "returned");
  CHECK(got == 8);
}

TEST_CASE("task group: a child that swallows the cancellation ends the group normally") {
  auto const stubborn = []() -> task<int> {
    try {
      co_await sleep_forever();
    } catch (cancelled const&) {
    }
    co_return 4;
  };
  int got = 0;
  auto const body = [&](task_group& g) -> task<> {
    auto const handle = g.spawn(stubborn);
    co_await plait::yield();
    g.cancel();
    co_await g.join();
    got = handle.take();
  };
  CHECK(outcome_of(body) == "returned");
  CHECK(got == 4);
}

TEST_CASE("task group: a failure after the cancellation is not lost") {
  auto const fails_late = []() -> task<> {
    bool stopped = false;
    try {
      co_await sleep_forever();
    } catch (cancelled const&) {
      stopped = true;
    }
    if (stopped) throw std::runtime_error("while stopping");
  };
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(fails_late);
    co_await plait::yield();
    g.cancel();
  };
  CHECK(outcome_of(body) == "while stopping");
}

TEST_CASE("task group: a cancellation from outside passes through when all children have ended") {
  manual_scheduler m;
  std::string order;
  bool went_on = false;
  m.run([&]() -> task<> {
    bool const finished = co_await move_on_after(5ms, [&]() -> task<> {
      co_await with_task_group([&](task_group& g) -> task<> {
        g.spawn(note_end, 1, std::ref(order), "quick");
        g.spawn(note_end, 50, std::ref(order), "slow");
        co_return;
      });
      went_on = true;
    });
    CHECK_FALSE(finished);
  });
  CHECK_FALSE(went_on);
  CHECK(order == "quick done, slow cancelled, ");
  CHECK(m.sched().cancelled_scopes == 0);
}

TEST_CASE(
    "task group: it waits for a child's shielded cleanup, also on the way out of an exception") {
  manual_scheduler m;
  auto const begin = m.io().now();
  std::string way;
  auto const careful = [&]() -> task<> {
    bool stopped = false;
    try {
      co_await sleep_forever();
    } catch (cancelled const&) {
      stopped = true;
    }
    if (stopped) co_await plait::shield([]() -> task<> { co_await sleep_for(30ms); });
    way += "cleaned up";
    co_await plait::yield();
    way += " and went on";
  };
  std::string what;
  m.run([&]() -> task<> {
    try {
      co_await with_task_group([&](task_group& g) -> task<> {
        g.spawn(careful);
        co_await plait::yield();
        throw std::runtime_error("body");
      });
    } catch (std::runtime_error const& e) {
      what = e.what();
    }
  });
  CHECK(what == "body");
  CHECK(way == "cleaned up");
  CHECK(m.io().now() - begin == 30ms);
}

TEST_CASE("task group: a child's failure wins over a cancellation from outside") {
  manual_scheduler m;
  std::string what;
  m.run([&]() -> task<> {
    try {
      co_await move_on_after(1ms, [&]() -> task<> {
        co_await with_task_group([&](task_group& g) -> task<> {
          auto const fails_when_cancelled = []() -> task<> {
            bool stopped = false;
            try {
              co_await sleep_forever();
            } catch (cancelled const&) {
              stopped = true;
            }
            if (stopped) throw std::runtime_error("child");
          };
          g.spawn(fails_when_cancelled);
          co_return;
        });
      });
    } catch (std::runtime_error const& e) {
      what = e.what();
    }
  });
  CHECK(what == "child");
}

TEST_CASE("task group: children may refer to the body's locals when the body ends with a join") {
  long total = 0;
  auto const body = [&](task_group& g) -> task<> {
    std::vector<int> const numbers{1, 2, 3, 4};
    auto const add = [&](std::size_t i) -> task<> {
      co_await plait::yield();
      total += numbers[i];
    };
    for (std::size_t i = 0; i < numbers.size(); ++i) g.spawn(add, i);
    CHECK(g.size() == 4);
    co_await g.join();
    CHECK(g.empty());
    co_await g.join();
  };
  CHECK(outcome_of(body) == "returned");
  CHECK(total == 10);
}

TEST_CASE("task group: children may spawn siblings, also while the body joins") {
  int ran = 0;
  auto const body = [&](task_group& g) -> task<> {
    auto const breed = [&](auto const& self, int generations) -> task<> {
      ++ran;
      co_await plait::yield();
      if (generations == 0) co_return;
      g.spawn(std::cref(self), std::cref(self), generations - 1);
      g.spawn(std::cref(self), std::cref(self), generations - 1);
    };
    g.spawn(std::cref(breed), std::cref(breed), 5);
    co_await g.join();
  };
  CHECK(outcome_of(body) == "returned");
  CHECK(ran == 63);
}

TEST_CASE("task group: groups nest, and a failure inside ends the outer one") {
  std::string order;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(note_end, 50, std::ref(order), "outer child");
    co_await with_task_group([&](task_group& inner) -> task<> {
      inner.spawn(fail_after_ms, 1, "inside");
      co_await note_end(50, order, "inner body");
    });
    order += "never";
  };
  CHECK(outcome_of(body) == "inside");
  CHECK(order == "inner body cancelled, outer child cancelled, ");
}

TEST_CASE("task group: a hundred thousand children, one of which throws") {
  constexpr int many = 100'000;
  int ended = 0;
  auto const child = [&](int i) -> task<> {
    try {
      if (i == many / 2) {
        co_await sleep_for(1ms);
        throw std::runtime_error("this one");
      }
      co_await sleep_forever();
    } catch (...) {
      ++ended;
      throw;
    }
  };
  auto const body = [&](task_group& g) -> task<> {
    for (int i = 0; i < many; ++i) g.spawn(child, i);
    co_await g.join();
    CHECK(g.failures().size() == 1);
  };
  CHECK(outcome_of(body) == "this one");
  CHECK(ended == many);
}
