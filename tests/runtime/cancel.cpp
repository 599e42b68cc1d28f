// A cancel scope's life, by state and event:
//
//   state           | cancel             | deadline passes   | outer cancelled    | body throws
//   body not begun  | first await throws | the same          | the same, absorbed | -
//                   |                    |                   | outside            |
//   body running    | next await throws  | next await throws | next await throws  | passes through
//   body suspended  | this await throws, or its completion wins                  | -
//   body returned   | value kept         | value kept        | value kept         | -
#include <plait/cancel.hpp>

#include "support/operations.hpp"

#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>

using namespace std::chrono_literals;
using plait::cancel_scope;
using plait::cancelled;
using plait::fail_after;
using plait::move_on_after;
using plait::shield;
using plait::sleep_for;
using plait::sleep_forever;
using plait::task;
using plait::timed_out;
using plait::with_cancel_scope;
using plait::test::gate;
using plait::testing::manual_scheduler;

namespace {

static_assert(!std::is_base_of_v<std::exception, cancelled>);
static_assert(std::is_base_of_v<std::exception, timed_out>);

// Runs the body, and checks that the scheduler has forgotten every scope and every timer.
template <class Fn>
void run_and_check(manual_scheduler& m, Fn const& body) {
  m.run(body);
  CHECK(m.sched().cancelled_scopes == 0);
  CHECK(m.sched().timers().armed() == 0);
}

task<> forever() { co_await sleep_forever(); }
task<int> forever_int() {
  co_await sleep_forever();
  co_return 1;
}

// How many of the next awaits throw `cancelled`.
task<int> count_throwing_awaits(int tries) {
  int thrown = 0;
  for (int i = 0; i < tries; ++i) {
    try {
      co_await plait::yield();
    } catch (cancelled const&) {
      ++thrown;
    }
  }
  co_return thrown;
}

task<bool> next_await_throws() {
  int const thrown = co_await count_throwing_awaits(1);
  co_return thrown == 1;
}

}  // namespace

TEST_CASE("cancel: a scope that is not cancelled gives its body's value or exception") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    auto const value = []() -> task<int> { co_return 7; };
    std::optional<int> const got = co_await with_cancel_scope(value);
    CHECK(got == 7);
    bool const finished = co_await with_cancel_scope([]() -> task<> { co_return; });
    CHECK(finished);
    auto const fails = []() -> task<int> {
      throw std::runtime_error("own failure");
      co_return 0;
    };
    std::string what;
    try {
      static_cast<void>(co_await with_cancel_scope(fails));
    } catch (std::runtime_error const& e) {
      what = e.what();
    }
    CHECK(what == "own failure");
  });
}

TEST_CASE("cancel: one that is cut short gives nothing") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    std::optional<int> const value = co_await move_on_after(1ms, forever_int);
    CHECK_FALSE(value.has_value());
    bool const finished = co_await move_on_after(1ms, forever);
    CHECK_FALSE(finished);
  });
}

TEST_CASE("cancel: it is level-triggered, so every await in the scope throws until it is left") {
  manual_scheduler m;
  int thrown = 0;
  bool after_ok = false;
  run_and_check(m, [&]() -> task<> {
    co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      thrown = co_await count_throwing_awaits(5);
    });
    co_await plait::yield();
    after_ok = true;
  });
  CHECK(thrown == 5);
  CHECK(after_ok);
}

TEST_CASE("cancel: the outermost cancelled scope absorbs it") {
  manual_scheduler m;
  std::string way;
  run_and_check(m, [&]() -> task<> {
    bool const outer = co_await with_cancel_scope([&](cancel_scope& a) -> task<> {
      bool const middle = co_await with_cancel_scope([&](cancel_scope& b) -> task<> {
        bool const inner = co_await with_cancel_scope([&](cancel_scope& c) -> task<> {
          c.cancel();
          b.cancel();
          a.cancel();
          co_await plait::yield();
          way += "body ";
        });
        way += inner ? "inner-done " : "inner-cut ";
      });
      way += middle ? "middle-done " : "middle-cut ";
    });
    way += outer ? "outer-done" : "outer-cut";
  });
  CHECK(way == "outer-cut");
}

TEST_CASE("cancel: an inner scope absorbs what is its own, and the outer one goes on") {
  manual_scheduler m;
  std::string way;
  run_and_check(m, [&]() -> task<> {
    bool const outer = co_await with_cancel_scope([&](cancel_scope&) -> task<> {
      bool const inner = co_await with_cancel_scope([&](cancel_scope& c) -> task<> {
        c.cancel();
        co_await plait::yield();
      });
      way += inner ? "inner-done " : "inner-cut ";
      co_await plait::yield();
    });
    way += outer ? "outer-done" : "outer-cut";
  });
  CHECK(way == "inner-cut outer-done");
}

TEST_CASE(
    "cancel: a body that returns normally gives its value, although its scope was cancelled") {
  manual_scheduler m;
  run_and_check(m, [&]() -> task<> {
    std::optional<int> const got = co_await with_cancel_scope([](cancel_scope& s) -> task<int> {
      s.cancel();
      co_return 3;
    });
    CHECK(got == 3);
    // Also past its deadline.
    std::optional<int> const late = co_await move_on_after(1ms, [&]() -> task<int> {
      m.io().advance(1h);
      co_return 4;
    });
    CHECK(late == 4);
  });
}

TEST_CASE("cancel: a body that fails while its scope is cancelled fails with its own exception") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    auto const body = [](cancel_scope& s) -> task<> {
      s.cancel();
      bool cut_short = false;
      try {
        co_await plait::yield();
      } catch (cancelled const&) {
        cut_short = true;
      }
      if (cut_short) throw std::runtime_error("while cleaning up");
    };
    std::string what;
    try {
      co_await with_cancel_scope(body);
    } catch (std::runtime_error const& e) {
      what = e.what();
    }
    CHECK(what == "while cleaning up");
  });
}

TEST_CASE("cancel: no time at all, or less, cancels at the first await and not before") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    for (plait::duration const d : {plait::duration(0), plait::duration(-1h)}) {
      bool began = false;
      bool ended = false;
      bool const finished = co_await move_on_after(d, [&]() -> task<> {
        began = true;
        co_await plait::yield();
        ended = true;
      });
      CHECK(began);
      CHECK_FALSE(ended);
      CHECK_FALSE(finished);
    }
  });
}

TEST_CASE("cancel: a timeout longer than time itself never comes") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    bool const finished =
        co_await move_on_after(plait::duration::max(), [](cancel_scope& s) -> task<> {
          CHECK(s.deadline() == plait::no_deadline);
          co_await sleep_for(std::chrono::hours(24 * 365));
        });
    CHECK(finished);
  });
}

TEST_CASE("cancel: nested deadlines, the earliest counts and its own scope absorbs") {
  manual_scheduler m;
  auto const begin = m.io().now();
  run_and_check(m, [&]() -> task<> {
    // The inner one is earlier.
    std::string way;
    bool const outer = co_await move_on_after(10ms, [&](cancel_scope& a) -> task<> {
      CHECK(a.deadline() == begin + 10ms);
      bool const inner = co_await move_on_after(1ms, [&](cancel_scope& b) -> task<> {
        CHECK(b.deadline() == begin + 1ms);
        co_await sleep_forever();
      });
      way += inner ? "inner-done " : "inner-cut ";
    });
    way += outer ? "outer-done" : "outer-cut";
    CHECK(way == "inner-cut outer-done");
    CHECK(m.io().now() == begin + 1ms);

    // The outer one is earlier, and absorbs what goes through the inner one.
    way.clear();
    bool const outer2 = co_await move_on_after(10ms, [&]() -> task<> {
      bool const inner = co_await move_on_after(1h, [&](cancel_scope& b) -> task<> {
        CHECK(b.deadline() == begin + 11ms);
        co_await sleep_forever();
      });
      way += inner ? "inner-done " : "inner-cut ";
    });
    way += outer2 ? "outer-done" : "outer-cut";
    CHECK(way == "outer-cut");
    CHECK(m.io().now() == begin + 11ms);
  });
}

TEST_CASE("cancel: equal deadlines, the outer scope absorbs") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    bool inner_went_on = false;
    bool const outer = co_await move_on_after(5ms, [&]() -> task<> {
      static_cast<void>(co_await move_on_after(5ms, forever));
      inner_went_on = true;
    });
    CHECK_FALSE(outer);
    CHECK_FALSE(inner_went_on);
  });
}

TEST_CASE("cancel: a deadline can be moved while the body runs, until it has passed") {
  manual_scheduler m;
  run_and_check(m, [&]() -> task<> {
    bool const longer = co_await move_on_after(1ms, [&](cancel_scope& s) -> task<> {
      s.set_deadline(plait::clock::now() + 10ms);
      co_await sleep_for(5ms);
      s.set_deadline(plait::no_deadline);
      co_await sleep_for(1h);
    });
    CHECK(longer);
    bool const shorter = co_await move_on_after(1h, [&](cancel_scope& s) -> task<> {
      s.set_deadline(plait::clock::now());
      co_await sleep_for(1ns);
    });
    CHECK_FALSE(shorter);
    bool const too_late = co_await move_on_after(0ms, [&](cancel_scope& s) -> task<> {
      s.set_deadline(plait::no_deadline);
      co_await plait::yield();
    });
    CHECK_FALSE(too_late);
  });
}

TEST_CASE("cancel: fail_after gives the value in time, and throws timed_out with its limit else") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    int const in_time = co_await fail_after(1ms, []() -> task<int> { co_return 5; });
    CHECK(in_time == 5);
    plait::duration after{};
    try {
      co_await fail_after(25ms, forever);
    } catch (timed_out const& e) {
      after = e.after();
      CHECK(std::string(e.what()).find("25") != std::string::npos);
    }
    CHECK(after == 25ms);
  });
}

TEST_CASE("cancel: fail_after lets an outer cancellation pass") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    bool threw_timed_out = false;
    bool const finished = co_await move_on_after(1ms, [&]() -> task<> {
      try {
        co_await fail_after(1h, forever);
      } catch (timed_out const&) {
        threw_timed_out = true;
      }
    });
    CHECK_FALSE(finished);
    CHECK_FALSE(threw_timed_out);
  });
}

TEST_CASE("cancel: a nested fail_after that expires is caught by who asked for it") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    std::string way;
    co_await fail_after(1h, [&]() -> task<> {
      try {
        co_await fail_after(1ms, forever);
      } catch (timed_out const&) {
        way += "inner ";
      }
      co_await sleep_for(1ms);
      way += "goes on";
    });
    CHECK(way == "inner goes on");
  });
}

TEST_CASE("cancel: a shield hides what lies outside, and ends with it visible again") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    std::string way;
    bool const finished = co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
      auto const inside = [&]() -> task<int> {
        scope.cancel();
        int const thrown = co_await count_throwing_awaits(3);
        way += "inside:" + std::to_string(thrown);
        co_return 9;
      };
      int const got = co_await shield(inside);
      way += " value:" + std::to_string(got);
      bool const throws = co_await next_await_throws();
      way += throws ? " outside:throws" : " outside:goes on";
      co_await plait::yield();
    });
    way += finished ? " done" : " cut";
    CHECK(way == "inside:0 value:9 outside:throws cut");
  });
}

TEST_CASE("cancel: a shield entered after the cancellation hides it as well") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    int inside = -1;
    int deeper = -1;
    bool const finished = co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
      scope.cancel();
      co_await shield([&]() -> task<> {
        inside = co_await count_throwing_awaits(1);
        co_await shield([&]() -> task<> { deeper = co_await count_throwing_awaits(1); });
      });
      co_await plait::yield();
    });
    CHECK(inside == 0);
    CHECK(deeper == 0);
    CHECK_FALSE(finished);
  });
}

TEST_CASE("cancel: a scope inside a shield is cancelled like any other, and absorbs its own") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    std::string way;
    bool const finished = co_await with_cancel_scope([&](cancel_scope& outer) -> task<> {
      outer.cancel();
      co_await shield([&]() -> task<> {
        bool const inner = co_await move_on_after(1ms, forever);
        way += inner ? "inner-done " : "inner-cut ";
        co_await plait::yield();
        way += "shield goes on ";
      });
      way += "left ";
      co_await plait::yield();
      way += "never";
    });
    way += finished ? "done" : "cut";
    CHECK(way == "inner-cut shield goes on left cut");
  });
}

TEST_CASE("cancel: a shield stops the search for deadlines outside") {
  manual_scheduler m;
  auto const begin = m.io().now();
  run_and_check(m, [&]() -> task<> {
    co_await move_on_after(1h, [&]() -> task<> {
      co_await shield([&]() -> task<> {
        co_await with_cancel_scope([&](cancel_scope& inner) -> task<> {
          CHECK(inner.deadline() == plait::no_deadline);
          inner.set_deadline(begin + 2h);
          CHECK(inner.deadline() == begin + 2h);
          co_return;
        });
      });
    });
  });
}

TEST_CASE("cancel: a group inside a shield runs on while the scope outside is cancelled") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    int children_done = 0;
    bool const finished = co_await with_cancel_scope([&](cancel_scope& outer) -> task<> {
      co_await shield([&]() -> task<> {
        co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
          auto const child = [&]() -> task<> {
            co_await sleep_for(1ms);
            ++children_done;
          };
          g.spawn(child);
          g.spawn(child);
          outer.cancel();
          co_await g.join();
        });
      });
      co_await plait::yield();
    });
    CHECK(children_done == 2);
    CHECK_FALSE(finished);
  });
}

TEST_CASE("cancel: the first reason and the line that cancelled are what the exception tells") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    std::string reason;
    unsigned line = 0;
    unsigned expected_line = 0;
    std::string file;
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      expected_line = __LINE__ + 1;
      s.cancel("the client hung up");
      s.cancel("a second reason");
      try {
        co_await plait::yield();
      } catch (cancelled const& c) {
        reason = c.reason();
        line = c.cancelled_at().line();
        file = c.cancelled_at().file_name();
        throw;
      }
    });
    CHECK(reason == "the client hung up");
    CHECK(line == expected_line);
    CHECK(file.find("cancel.cpp") != std::string::npos);
  });
}

TEST_CASE("cancel: the reason is that of the scope that will absorb it") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    std::string reason;
    co_await with_cancel_scope([&](cancel_scope& outer) -> task<> {
      co_await with_cancel_scope([&](cancel_scope& inner) -> task<> {
        inner.cancel("inner");
        outer.cancel("outer");
        try {
          co_await plait::yield();
        } catch (cancelled const& c) {
          reason = c.reason();
          throw;
        }
      });
    });
    CHECK(reason == "outer");
    co_await move_on_after(1ms, [&]() -> task<> {
      try {
        co_await sleep_forever();
      } catch (cancelled const& c) {
        reason = c.reason();
        throw;
      }
    });
    CHECK(reason == "deadline passed");
  });
}

TEST_CASE("cancel: a handler for std::exception does not swallow it, and catch (...) only once") {
  manual_scheduler m;
  run_and_check(m, []() -> task<> {
    int swallowed = 0;
    bool reached_end = false;
    bool const finished = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      s.cancel();
      try {
        co_await plait::yield();
      } catch (...) {
        ++swallowed;
      }
      try {
        co_await plait::yield();
      } catch (std::exception const&) {
        ++swallowed;
      }
      reached_end = true;
    });
    CHECK(swallowed == 1);
    CHECK_FALSE(reached_end);
    CHECK_FALSE(finished);
  });
}
