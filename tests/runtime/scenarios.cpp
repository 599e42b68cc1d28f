#include "scenarios.hpp"

#include "support/operations.hpp"

#include <plait/finally.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>
#include <plait/when.hpp>

#include <stdexcept>
#include <utility>

using namespace std::chrono_literals;
using plait::testing::run_report;
using plait::testing::scenario;

namespace plait::test {

task<> nap(int ms) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  co_await yield();
}

task<int> value_after_ms(int ms, int value) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  co_return value;
}

void require(bool holds, char const* what) {
  if (!holds) throw std::runtime_error(what);
}

std::vector<scenario> scenarios() {
  std::vector<scenario> all;
  add_task_scenarios(all);
  add_scope_scenarios(all);
  add_group_scenarios(all);
  add_race_scenarios(all);
  add_channel_scenarios(all);
  add_sync_scenarios(all);
  for (scenario& s : all) {
    s.check = [own = std::move(s.check)](run_report const& run) {
      require(std::exchange(counted::alive, 0) == 0, "objects are left, or were destroyed twice");
      if (own != nullptr) own(run);
    };
  }
  return all;
}

namespace {

using body = std::function<task<>()>;  // outlives the run

task<> as_child(body const& inner) {
  co_await with_task_group(
      [](task_group& g, body const* run) -> task<> {
        g.spawn(*run);
        g.spawn(nap, 1);
        co_await yield();
      },
      &inner);
}

task<> as_grandchild(body const& inner) {
  counted const local(1);
  co_await with_task_group(
      [](task_group& outer, body const* run) -> task<> {
        outer.spawn(as_child, std::cref(*run));
        co_await outer.join();
      },
      &inner);
}

task<> joined_by_handle(body const& inner) {
  co_await with_task_group(
      [](task_group& g, body const* run) -> task<> {
        auto const child = g.spawn(*run);
        co_await child;
        co_await yield();
      },
      &inner);
}

task<> under_a_timeout(body const& inner) { co_await with_timeout(1h, inner()); }

task<> in_two_scopes(body const& inner) {
  bool const outer = co_await move_on_after(
      2h,
      [](body const* run) -> task<> {
        co_await fail_after(1h, *run);
        co_await yield();
      },
      &inner);
  require(outer, "two hours went by");
}

task<> shielded(body const& inner) {
  co_await shield(inner);
  co_await yield();
}

task<> cleaned_up_after(body const& inner) {
  co_await finally(inner, []() -> task<> {
    counted const local(1);
    co_await nap(1);
  });
}

task<> beside_others(body const& inner) {
  auto const got = co_await when_all(inner(), value_after_ms(2, 7), sleep_for(1ms), nap(3));
  require(std::get<1>(got) == 7, "another value");
}

task<> in_a_race(body const& inner) {
  auto const got = co_await when_any(sleep_for(24h), inner(), value_after_ms(90'000'000, 1));
  require(got.index == 1, "another winner");
}

task<> deep_down(int depth, body const& inner) {
  counted const local(depth);
  if (depth == 0) {
    co_await inner();
  } else {
    co_await deep_down(depth - 1, inner);
  }
  co_await yield();
}

task<> twice(body const& inner) {
  co_await inner();
  co_await inner();
}

struct surrounding {
  char const* name;
  task<> (*run)(body const&);
};

constexpr surrounding surroundings[] = {
    {"as a child", as_child},
    {"as a grandchild", as_grandchild},
    {"joined by handle", joined_by_handle},
    {"under a timeout", under_a_timeout},
    {"in two scopes", in_two_scopes},
    {"shielded", shielded},
    {"cleaned up after", cleaned_up_after},
    {"beside others", beside_others},
    {"in a race", in_a_race},
    {"deep down", [](body const& inner) { return deep_down(6, inner); }},
    {"twice", twice},
};

}  // namespace

std::vector<scenario> surrounded(scenario const& inner) {
  std::vector<scenario> all;
  for (surrounding const& around : surroundings) {
    scenario s = inner;
    s.name += std::string(" ") + around.name;
    s.body = [run = around.run, in = inner.body] { return run(in); };
    all.push_back(std::move(s));
  }
  return all;
}

}  // namespace plait::test
