// when_all and when_any, over tasks, operations, handles and vectors; as_completed.
#include "scenarios.hpp"

#include "support/operations.hpp"

#include <plait/as_completed.hpp>
#include <plait/finally.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>
#include <plait/when.hpp>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using plait::testing::scenario;

namespace plait::test {
namespace {

task<counted> counted_after_ms(int ms) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  co_await yield();
  co_return counted(ms);
}

task<std::string> text_after_ms(int ms) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  co_return std::string(50, 'x');
}

task<int> fail_after_ms(int ms) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  throw own_error();
}

task<> all_of_tasks() {
  auto const got = co_await when_all(counted_after_ms(3), text_after_ms(1), nap(2));
  require(std::get<0>(got).value() == 3 && std::get<1>(got).size() == 50, "another value");
}

task<> all_of_operations() {
  auto const got = co_await when_all(sleep_for(2ms), yield(), ready_operation(4));
  require(std::get<2>(got) == 4, "another value");
}

task<> all_of_both() {
  auto const got =
      co_await when_all(counted_after_ms(3), sleep_for(2ms), counted_after_ms(1), yield());
  require(std::get<0>(got).value() == 3, "another order");
}

task<> all_of_handles() {
  co_await with_task_group([](task_group& g) -> task<> {
    auto const first = g.spawn(counted_after_ms, 2);
    auto const second = g.spawn(text_after_ms, 1);
    auto const got = co_await when_all(first, second, sleep_for(1ms));
    require(std::get<0>(got).value() == 2, "another value");
  });
}

task<> all_of_which_one_fails() {
  bool caught = false;
  try {
    co_await when_all(counted_after_ms(5), fail_after_ms(2), sleep_for(9ms));
  } catch (own_error const&) {
    caught = true;
  }
  require(caught, "the failure was lost");
  co_await yield();
}

task<> all_of_races() {
  auto const got = co_await when_all(when_any(counted_after_ms(1), counted_after_ms(9)),
                                     when_any(sleep_for(9ms), text_after_ms(2)));
  require(std::get<0>(got).index == 0 && std::get<1>(got).index == 1, "other winners");
}

task<> any_of_tasks() {
  auto got = co_await when_any(counted_after_ms(3), counted_after_ms(1), counted_after_ms(2));
  require(got.index == 1 && got.value().value() == 1, "another winner");
}

task<> any_of_operations() {
  auto const got = co_await when_any(sleep_for(2ms), sleep_for(1ms), sleep_forever());
  require(got.index == 1, "another winner");
}

task<> any_of_handles() {
  co_await with_task_group([](task_group& g) -> task<> {
    auto const slow = g.spawn(counted_after_ms, 4);
    auto const quick = g.spawn(text_after_ms, 1);
    auto const got = co_await when_any(slow, quick, sleep_for(2ms));
    require(got.index == 1, "another winner");
    counted const later = co_await slow;
    require(later.value() == 4, "another value");
  });
}

std::vector<task<counted>> three_of_them() {
  std::vector<task<counted>> tasks;
  for (int const ms : {3, 1, 2}) tasks.push_back(counted_after_ms(ms));
  return tasks;
}

task<> all_of_a_vector() {
  auto const got = co_await when_all(three_of_them());
  require(got[0].value() == 3 && got[2].value() == 2, "another value");
}

task<> any_of_a_vector() {
  auto got = co_await when_any(three_of_them());
  require(got.index == 1 && got.value().value() == 1, "another winner");
}

task<> each_as_completed() {
  int before = 0;
  auto const in_order = [&before](completed<counted>& one) -> task<> {
    require(std::exchange(before, one.value().value()) + 1 == one.value().value(), "another order");
    co_await yield();
  };
  co_await as_completed(three_of_them(), in_order);
  require(before == 3, "one is missing");
}

task<> first_as_completed() {
  auto const enough = [](completed<counted>& one) {
    require(one.value().value() == 1, "another one");
    return false;
  };
  co_await as_completed(three_of_them(), enough);
}

task<> any_of_timeouts() {
  auto const got = co_await when_any(with_timeout(5ms, sleep_for(3ms)),
                                     with_timeout(1h, sleep_for(2ms)), value_after_ms(4, 1));
  require(got.index == 1, "another winner");
}

task<> any_that_fails() {
  bool caught = false;
  try {
    co_await when_any(counted_after_ms(5), fail_after_ms(2), sleep_for(9ms));
  } catch (own_error const&) {
    caught = true;
  }
  require(caught, "the failure was lost");
}

task<> clean_up_slowly(counted) {
  co_await finally([]() -> task<> { co_await sleep_for(9ms); },
                   []() -> task<> { co_await nap(2); });
}

task<> losers_clean_up() {
  auto const got =
      co_await when_any(clean_up_slowly(counted(1)), value_after_ms(2, 5), sleep_for(3ms));
  require(got.index == 1, "another winner");
}

task<> operations_under_a_scope() {
  auto const got = co_await move_on_after(2ms, []() -> task<int> {
    co_await when_all(sleep_for(9ms), counted_after_ms(9));
    co_return 1;
  });
  require(!got.has_value(), "it did not expire");
}

}  // namespace

void add_race_scenarios(std::vector<scenario>& to) {
  to.push_back({.name = "all of tasks", .body = all_of_tasks});
  to.push_back({.name = "all of operations", .body = all_of_operations});
  to.push_back({.name = "all of both", .body = all_of_both});
  to.push_back({.name = "all of handles", .body = all_of_handles});
  to.push_back({.name = "all of which one fails", .body = all_of_which_one_fails});
  to.push_back({.name = "all of races", .body = all_of_races});
  to.push_back({.name = "any of tasks", .body = any_of_tasks});
  to.push_back({.name = "any of operations", .body = any_of_operations});
  to.push_back({.name = "any of handles", .body = any_of_handles});
  to.push_back({.name = "any of timeouts", .body = any_of_timeouts});
  to.push_back({.name = "any that fails", .body = any_that_fails});
  to.push_back({.name = "all of a vector", .body = all_of_a_vector});
  to.push_back({.name = "any of a vector", .body = any_of_a_vector});
  to.push_back({.name = "each as completed", .body = each_as_completed});
  to.push_back({.name = "the first as completed", .body = first_as_completed});
  to.push_back({.name = "losers clean up", .body = losers_clean_up});
  to.push_back({.name = "operations under a scope", .body = operations_under_a_scope});
}

}  // namespace plait::test
