// Scopes, timeouts, shields, cleanup.
#include "scenarios.hpp"

#include "support/operations.hpp"

#include <plait/cancel.hpp>
#include <plait/finally.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <utility>

using namespace std::chrono_literals;
using plait::testing::run_report;
using plait::testing::scenario;

namespace plait::test {
namespace {

task<> scope_that_completes() {
  auto const got = co_await move_on_after(1h, value_after_ms, 2, 5);
  require(got == 5, "another value");
}

task<> scope_that_expires() {
  counted const local(1);
  auto const got = co_await move_on_after(3ms, value_after_ms, 5, 1);
  require(!got.has_value(), "it did not expire");
  co_await yield();
}

task<> sleeps_too_long() {
  co_await sleep_for(1ms);
  co_await sleep_for(1h);
}

task<> inner_scope_expires() {
  bool const outer = co_await move_on_after(2h, []() -> task<> {
    bool const inner = co_await move_on_after(2ms, sleeps_too_long);
    require(!inner, "an hour went by");
    co_await yield();
  });
  require(outer, "the inner deadline cut the outer scope short");
}

task<> outer_scope_expires() {
  bool const outer = co_await move_on_after(2ms, []() -> task<> {
    bool const inner = co_await move_on_after(2h, sleeps_too_long);
    require(!inner, "an hour went by");
  });
  require(!outer, "it did not expire");
}

task<> fails_in_time() {
  int timeouts = 0;
  for (int i = 0; i < 2; ++i) {
    try {
      co_await fail_after(2ms, value_after_ms, i == 0 ? 1 : 3, 1);
    } catch (timed_out const&) {
      ++timeouts;
    }
  }
  require(timeouts == 1, "another number of timeouts");
}

task<> timeouts_over_operations() {
  co_await with_timeout(5ms, sleep_for(1ms));
  bool expired = false;
  try {
    co_await with_timeout(2ms, sleep_for(1h));
  } catch (timed_out const&) {
    expired = true;
  }
  require(expired, "an hour went by");
  co_await with_timeout(1h, yield());
}

task<> timeouts_in_timeouts() {
  co_await with_timeout(5ms, with_timeout(3ms, sleep_for(1ms)));
  bool expired = false;
  try {
    co_await with_timeout(1h, with_timeout(2ms, with_timeout(1h, sleep_for(2h))));
  } catch (timed_out const& e) {
    expired = e.after() == 2ms;
  }
  require(expired, "another timeout");
}

task<counted> counted_after_ms(int ms) {
  counted made(ms);
  co_await nap(ms);
  co_return std::move(made);
}

task<> timeouts_over_tasks() {
  counted const got = co_await with_timeout(5ms, counted_after_ms(1));
  require(got.value() == 1, "another value");
  bool expired = false;
  try {
    counted const never = co_await with_timeout(1ms, counted_after_ms(2));
  } catch (timed_out const&) {
    expired = true;
  }
  require(expired, "it did not expire");
}

int shields_begun = 0;
int shields_done = 0;

task<> in_the_shield() {
  ++shields_begun;
  co_await sleep_for(1ms);
  co_await yield();
  ++shields_done;
}

task<> shields_in_a_row() {
  for (int i = 0; i < 3; ++i) {
    co_await shield(in_the_shield);
    co_await yield();
  }
}

task<> shield_in_a_cancelled_scope() {
  bool const completed = co_await with_cancel_scope([](cancel_scope& s) -> task<> {
    s.cancel();
    co_await shield(in_the_shield);
    co_await yield();
  });
  require(!completed, "the scope was cancelled");
}

task<> shields_and_scopes_in_turn() {
  bool const completed = co_await move_on_after(1ms, []() -> task<> {
    co_await shield([]() -> task<> {
      bool const inner = co_await move_on_after(2ms, []() -> task<> {
        co_await shield(nap, 4);
        co_await yield();
      });
      require(!inner, "the deadline inside the shield did not count");
    });
    co_await sleep_for(1h);
  });
  require(!completed, "the deadline outside did not count");
}

task<> scope_that_cancels_itself() {
  for (int i = 0; i < 3; ++i) {
    bool const completed = co_await with_cancel_scope([](cancel_scope& s) -> task<> {
      co_await yield();
      s.cancel();
      co_await sleep_forever();
    });
    require(!completed, "the scope was cancelled");
  }
}

task<> cancel_after_ms(cancel_scope& s, int ms) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  s.request_cancel();
}

task<> scope_cancelled_by_another_task() {
  bool const completed = co_await with_cancel_scope([](cancel_scope& s) -> task<> {
    co_await with_task_group(
        [](task_group& g, cancel_scope* outside) -> task<> {
          g.spawn(cancel_after_ms, std::ref(*outside), 1);
          co_await shield(nap, 1);
          co_await sleep_forever();
        },
        &s);
  });
  require(!completed, "the scope was cancelled");
}

// Cancelled stays cancelled: the second await throws again.
task<> swallows_one_cancellation() {
  bool const completed = co_await with_cancel_scope([](cancel_scope& s) -> task<> {
    s.cancel();
    bool swallowed = false;
    try {
      co_await yield();
    } catch (cancelled const&) {
      swallowed = true;
    }
    require(swallowed, "the first await did not throw");
    co_await yield();
    require(false, "the second await did not throw");
  });
  require(!completed, "the scope was cancelled");
}

task<> ten_scopes(int depth) {
  counted const local(depth);
  if (depth == 0) {
    co_await nap(1);
  } else {
    bool const completed = co_await move_on_after(1h, ten_scopes, depth - 1);
    require(completed, "an hour went by");
  }
}

task<> scopes_in_scopes() { co_await ten_scopes(10); }

int bodies_begun = 0;
int bodies_cleaned = 0;

task<> begun() {
  ++bodies_begun;
  co_await nap(1);
}

task<> begun_and_fails() {
  ++bodies_begun;
  co_await yield();
  throw own_error();
}

task<> cleaned() {
  ++bodies_cleaned;
  co_await nap(1);
}

task<> cleanup_after_success() {
  co_await finally(begun, cleaned);
  co_await yield();
}

task<> cleanup_after_failure() {
  bool caught = false;
  try {
    co_await finally(begun_and_fails, cleaned);
  } catch (own_error const&) {
    caught = true;
  }
  require(caught, "the failure was lost");
}

task<> cleanup_within_cleanup() {
  co_await finally([]() -> task<> { co_await finally(begun, cleaned); },
                   []() -> task<> { co_await finally(begun, cleaned); });
}

task<> cleanup_fails_too() {
  auto const cleanup = []() -> task<> {
    ++bodies_cleaned;
    co_await yield();
    throw own_error();
  };
  bool caught = false;
  try {
    co_await finally(begun_and_fails, cleanup);
  } catch (own_error const&) {
    caught = true;
  }
  require(caught, "both failures were lost");
}

task<> cleanup_takes_too_long() {
  auto const cleanup = []() -> task<> {
    ++bodies_cleaned;
    co_await sleep_for(1h);
  };
  bool expired = false;
  try {
    co_await finally(begun, cleanup, {.deadline = 3ms});
  } catch (timed_out const&) {
    expired = true;
  }
  require(expired, "the cleanup took an hour");
}

// Each body that began was cleaned up after, unless there was no memory for one of their frames.
void all_cleaned(run_report const& run) {
  int const open = std::exchange(bodies_begun, 0) - std::exchange(bodies_cleaned, 0);
  require(open == 0 || run.no_memory, "a body was not cleaned up after");
}

// What a shield began it finished, unless something was thrown in it.
void shields_hold(run_report const& run) {
  int const open = std::exchange(shields_begun, 0) - std::exchange(shields_done, 0);
  require(open == 0 || run.how == run_report::end::failed, "a shield was cut short");
}

}  // namespace

void add_scope_scenarios(std::vector<scenario>& to) {
  to.push_back({.name = "scope that completes", .body = scope_that_completes});
  to.push_back({.name = "scope that expires", .body = scope_that_expires});
  to.push_back({.name = "inner scope expires", .body = inner_scope_expires});
  to.push_back({.name = "outer scope expires", .body = outer_scope_expires});
  to.push_back({.name = "fails in time", .body = fails_in_time});
  to.push_back({.name = "timeouts over operations", .body = timeouts_over_operations});
  to.push_back({.name = "timeouts in timeouts", .body = timeouts_in_timeouts});
  to.push_back({.name = "timeouts over tasks", .body = timeouts_over_tasks});
  to.push_back({.name = "shields in a row", .body = shields_in_a_row, .check = shields_hold});
  to.push_back({.name = "shield in a cancelled scope",
                .body = shield_in_a_cancelled_scope,
                .check = shields_hold});
  to.push_back({.name = "shields and scopes in turn", .body = shields_and_scopes_in_turn});
  to.push_back({.name = "scope that cancels itself", .body = scope_that_cancels_itself});
  to.push_back(
      {.name = "scope cancelled by another task", .body = scope_cancelled_by_another_task});
  to.push_back({.name = "swallows one cancellation", .body = swallows_one_cancellation});
  to.push_back({.name = "scopes in scopes", .body = scopes_in_scopes});
  to.push_back(
      {.name = "cleanup after success", .body = cleanup_after_success, .check = all_cleaned});
  to.push_back(
      {.name = "cleanup after failure", .body = cleanup_after_failure, .check = all_cleaned});
  to.push_back(
      {.name = "cleanup within cleanup", .body = cleanup_within_cleanup, .check = all_cleaned});
  to.push_back({.name = "cleanup fails too",
                .body = cleanup_fails_too,
                .check = all_cleaned,
                .handles_errors = true});
  to.push_back(
      {.name = "cleanup takes too long", .body = cleanup_takes_too_long, .check = all_cleaned});
}

}  // namespace plait::test
