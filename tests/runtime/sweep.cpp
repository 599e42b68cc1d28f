// Scenarios that are cancelled at every cancel point that they reach, one run for each: whatever is
// cut short, nothing is left behind, and what each scenario promises holds.
#include "support/sweep.hpp"

#include "support/operations.hpp"

#include <plait/finally.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/sequencer.hpp>
#include <plait/timeout.hpp>
#include <plait/when.hpp>

#include <catch2/catch.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

using namespace std::chrono_literals;
using plait::sleep_for;
using plait::task;
using plait::task_group;
using plait::with_task_group;
using plait::yield;
using plait::test::counted;
using plait::test::sweep_both;
using plait::test::sweep_result;

namespace {

task<int> value_after_ms(int ms, int value) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  co_return value;
}

task<> hold(counted) {
  co_await sleep_for(1ms);
  co_await yield();
}

// Every run of a scenario must leave no counted object.
void no_object_is_left() {
  if (counted::alive == 0) return;
  int const left = std::exchange(counted::alive, 0);
  throw std::runtime_error(std::to_string(left) + " objects are left");
}

void check(sweep_result const& result, int runs_min) {
  CHECK(result.broken == "");
  CHECK(result.runs >= runs_min);
}

}  // namespace

TEST_CASE("sweep: awaits in a row, with locals and arguments") {
  check(sweep_both(
            []() -> task<> {
              counted const local(1);
              for (int i = 0; i < 5; ++i) co_await hold(counted(i));
            },
            no_object_is_left),
        20);
}

TEST_CASE("sweep: a group of children, some of which spawn more") {
  check(sweep_both(
            []() -> task<> {
              co_await with_task_group([](task_group& g) -> task<> {
                counted const local(1);
                auto const parent = [&](counted kept) -> task<> {
                  co_await yield();
                  g.spawn(hold, kept);
                  co_await sleep_for(1ms);
                };
                for (int i = 0; i < 3; ++i) {
                  g.spawn(parent, counted(i));
                  co_await yield();
                }
                co_await g.join();
              });
            },
            no_object_is_left),
        30);
}

TEST_CASE("sweep: handles that are joined, dropped and kept beyond the group") {
  check(sweep_both(
            []() -> task<> {
              std::optional<plait::join_handle<counted>> kept;
              auto const child = [](int ms) -> task<counted> {
                co_await sleep_for(std::chrono::milliseconds(ms));
                co_return counted(ms);
              };
              co_await with_task_group([&](task_group& g) -> task<> {
                kept.emplace(g.spawn(child, 2));
                auto const joined = g.spawn(child, 1);
                g.spawn(child, 3);
                counted const got = co_await joined;
                bool const in_time = co_await plait::move_on_after(
                    1us, [&]() -> task<> { counted const never = co_await *kept; });
                static_cast<void>(in_time);
              });
              counted const got = co_await *kept;
            },
            no_object_is_left),
        12);
}

TEST_CASE("sweep: when_all of tasks and operations") {
  check(sweep_both(
            []() -> task<> {
              auto const make = [](int ms) -> task<counted> {
                co_await sleep_for(std::chrono::milliseconds(ms));
                co_await yield();
                co_return counted(ms);
              };
              auto const got = co_await plait::when_all(make(3), make(1), sleep_for(2ms), make(2));
              if (std::get<0>(got).value() != 3) throw std::runtime_error("another order");
            },
            no_object_is_left),
        14);
}

TEST_CASE("sweep: when_any, and the losers' cleanup") {
  check(sweep_both(
            []() -> task<> {
              auto const careful = [](counted) -> task<> {
                co_await plait::finally([]() -> task<> { co_await sleep_for(9ms); },
                                        []() -> task<> { co_await sleep_for(1ms); });
              };
              auto const got = co_await plait::when_any(careful(counted(1)), value_after_ms(2, 5),
                                                        sleep_for(3ms));
              if (got.index != 1) throw std::runtime_error("another winner");
            },
            no_object_is_left),
        8);
}

TEST_CASE("sweep: timeouts in timeouts, over operations and tasks") {
  check(sweep_both([]() -> task<> {
          co_await plait::with_timeout(5ms, plait::with_timeout(3ms, sleep_for(1ms)));
          int const got = co_await plait::with_timeout(5ms, value_after_ms(1, 2));
          if (got != 2) throw std::runtime_error("another value");
          try {
            co_await plait::with_timeout(1ms, value_after_ms(2, 2));
          } catch (plait::timed_out const&) {
          }
          co_await plait::with_timeout(1h, yield());
        }),
        8);
}

TEST_CASE("sweep: finally cleans up after whatever was cut short") {
  static int begun = 0;
  static int cleaned = 0;
  begun = cleaned = 0;
  auto const scenario = []() -> task<> {
    auto const body = []() -> task<> {
      ++begun;
      co_await yield();
      co_await sleep_for(1ms);
    };
    auto const cleanup = []() -> task<> {
      co_await sleep_for(1ms);
      ++cleaned;
    };
    co_await plait::finally(body, cleanup);
    co_await yield();
  };
  auto const balanced = [] {
    if (begun != cleaned) throw std::runtime_error("a body was not cleaned up after");
  };
  check(sweep_both(scenario, balanced), 8);
  CHECK(cleaned >= 8);
}

TEST_CASE("sweep: shields finish what they have begun") {
  static int shields_begun = 0;
  static int shields_done = 0;
  shields_begun = shields_done = 0;
  auto const scenario = []() -> task<> {
    for (int i = 0; i < 3; ++i) {
      co_await plait::shield([]() -> task<> {
        ++shields_begun;
        co_await sleep_for(1ms);
        co_await yield();
        ++shields_done;
      });
      co_await yield();
    }
  };
  auto const all_done = [] {
    if (shields_begun != shields_done) throw std::runtime_error("a shield was cut short");
  };
  check(sweep_both(scenario, all_done), 18);
}

TEST_CASE("sweep: scopes in scopes, of which an inner one expires by itself") {
  check(sweep_both([]() -> task<> {
          bool const outer = co_await plait::move_on_after(1h, []() -> task<> {
            bool const inner = co_await plait::move_on_after(2ms, []() -> task<> {
              co_await sleep_for(1ms);
              co_await sleep_for(1h);
            });
            if (inner) throw std::runtime_error("an hour went by");
            co_await yield();
          });
          if (!outer)
            throw std::runtime_error("the outer scope was cut short by the inner deadline");
        }),
        6);
}

TEST_CASE("sweep: tasks that take turns") {
  check(sweep_both([]() -> task<> {
          plait::testing::sequencer order;
          co_await with_task_group([&](task_group& g) -> task<> {
            auto const player = [&](int first) -> task<> {
              try {
                for (int n = first; n < 6; n += 2) co_await order.turn(n);
              } catch (plait::testing::sequencer_broken const&) {
              }
            };
            g.spawn(player, 1);
            g.spawn(player, 0);
            co_await g.join();
          });
        }),
        10);
}

TEST_CASE("sweep: a child's failure, on its way through two groups") {
  check(sweep_both(
            []() -> task<> {
              std::string what;
              try {
                co_await with_task_group([](task_group& outer) -> task<> {
                  outer.spawn(hold, counted(1));
                  co_await with_task_group([](task_group& inner) -> task<> {
                    inner.spawn(hold, counted(2));
                    inner.spawn([]() -> task<> {
                      co_await sleep_for(500us);
                      throw std::runtime_error("the child");
                    });
                    co_await inner.join();
                  });
                });
              } catch (std::runtime_error const& e) {
                what = e.what();
              }
              if (what != "the child") throw std::runtime_error("another failure: " + what);
            },
            no_object_is_left),
        4);
}

TEST_CASE("sweep: it notices what a scenario leaves behind") {
  static int kept_open = 0;
  sweep_result const result = sweep_both(
      []() -> task<> {
        ++kept_open;
        co_await yield();
        --kept_open;
      },
      [] {
        if (std::exchange(kept_open, 0) != 0) throw std::runtime_error("left open");
      });
  CHECK(result.broken == "cancelled at cancel point 1: left open");
  CHECK(result.runs == 0);
}
