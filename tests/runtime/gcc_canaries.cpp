// The shapes of await expressions in which g++ 12 destroys temporaries twice or drops code: what
// plait's own functions do in them must be right with every compiler. Each runs in a child process,
// so that a crash is a failed test. Shapes that plait refuses are in tests/compile_fail.
#include <plait/task_group.hpp>

#include "support/death.hpp"
#include "support/operations.hpp"

#include <plait/cancel.hpp>
#include <plait/finally.hpp>
#include <plait/sleep.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>
#include <plait/when.hpp>

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::test::counted;
using plait::testing::manual_scheduler;

namespace {

// Too long for the small-string buffer, so that a double destruction is a double free.
std::string const text = "a text that is too long to be stored without an allocation";

task<std::string> echo(std::string s) {
  co_await plait::yield();
  co_return s;
}
task<std::string> echo_twice(std::string a, std::string b = text) { co_return a + b; }
task<std::string> in_group(task_group&, std::string s) { co_return s; }
task<bool> yes() { co_return true; }

struct with_members {
  with_members(std::string a, counted b) : name(std::move(a)), count(std::move(b)) {}
  std::string name;
  counted count;
};
task<std::string> name_of(with_members m) { co_return m.name; }

// Whether a shape gives the right answer and leaves every object destroyed exactly once.
bool right_in_child(task<bool> (*shape)()) {
  auto const end = plait::test::in_child([shape] {
    bool answer = false;
    {
      manual_scheduler m;
      answer = m.run(shape);
    }
    ::_exit(!answer ? 10 : counted::alive != 0 ? 11 : 0);
  });
  INFO("exit " << end.exit_code << ", signal " << end.signal << ": " << end.output);
  CHECK(end.exited_with(0));
  return end.exited_with(0);
}

// --- a named callable ----------------------------------------------------------------------

task<bool> named_lambda_in_a_group() {
  auto const body = [s = text, c = counted(1)](task_group&) -> task<std::string> {
    co_await plait::yield();
    co_return s;
  };
  std::string const got = co_await plait::with_task_group(body);
  co_return got == text;
}

task<bool> named_lambda_in_scopes() {
  auto const body = [s = text, c = counted(1)]() -> task<std::string> {
    co_await plait::yield();
    co_return s;
  };
  std::optional<std::string> const a = co_await plait::with_cancel_scope(body);
  std::optional<std::string> const b = co_await plait::move_on_after(1h, body);
  std::string const c = co_await plait::fail_after(1h, body);
  std::string const d = co_await plait::shield(body);
  co_return a == text&& b == text&& c == text&& d == text;
}

task<bool> named_lambda_cut_short() {
  auto const body = [s = text, c = counted(1)]() -> task<std::string> {
    co_await plait::sleep_forever();
    co_return s;
  };
  std::optional<std::string> const a = co_await plait::move_on_after(1ms, body);
  bool timed_out = false;
  try {
    std::string const b = co_await plait::fail_after(1ms, body);
  } catch (plait::timed_out const&) {
    timed_out = true;
  }
  co_return !a.has_value() && timed_out;
}

task<bool> named_lambda_spawned() {
  auto const body = [](task_group& g) -> task<bool> {
    auto const child = [s = text, c = counted(1)]() -> task<std::string> {
      co_await plait::yield();
      co_return s;
    };
    std::string const got = co_await g.spawn(child);
    co_return got == text;
  };
  co_return co_await plait::with_task_group(body);
}

task<bool> named_lambda_by_reference_wrapper() {
  auto const body = [s = text, c = counted(1)](task_group&) -> task<std::string> { co_return s; };
  std::string const got = co_await plait::with_task_group(std::ref(body));
  co_return got == text;
}

task<bool> named_lambdas_with_cleanup() {
  counted const seen(1);
  std::string order;
  auto const body = [s = text, &order]() -> task<std::string> {
    order += 'b';
    co_return s;
  };
  auto const cleanup = [c = counted(2), &order]() -> task<> {
    order += 'c';
    co_return;
  };
  std::string const got = co_await plait::finally(body, cleanup, {.deadline = 3s});
  co_return got == text&& order == "bc";
}

// --- a moved callable ----------------------------------------------------------------------

task<bool> moved_lambda() {
  auto body = [s = text, c = counted(1)](task_group&) -> task<std::string> {
    co_await plait::yield();
    co_return s;
  };
  std::string const got = co_await plait::with_task_group(plait::moved(body));
  auto scoped = [s = text, c = counted(1)]() -> task<std::string> { co_return s; };
  std::optional<std::string> const also = co_await plait::move_on_after(1h, plait::moved(scoped));
  co_return got == text&& also == text;
}

task<bool> moved_lambda_with_what_cannot_be_copied() {
  auto body = [p = std::make_unique<std::string>(text)]() -> task<std::string> { co_return *p; };
  std::string const got = co_await plait::shield(plait::moved(body));
  co_return got == text;
}

task<bool> moved_lambda_spawned() {
  auto const body = [](task_group& g) -> task<bool> {
    auto child = [p = std::make_unique<std::string>(text)]() -> task<std::string> { co_return *p; };
    std::string const got = co_await g.spawn(plait::moved(child));
    co_return got == text;
  };
  co_return co_await plait::with_task_group(body);
}

// --- a function and its arguments ----------------------------------------------------------

task<bool> function_and_arguments() {
  std::string const a = co_await plait::with_task_group(in_group, std::string(text));
  std::optional<std::string> const b = co_await plait::move_on_after(1h, echo, std::string(text));
  std::string const c = co_await plait::fail_after(1h, echo, text + "");
  std::string const d = co_await plait::shield(name_of, with_members(text, counted(1)));
  co_return a == text&& b == text&& c == text&& d == text;
}

task<bool> spawned_function_and_arguments() {
  auto const body = [](task_group& g) -> task<bool> {
    std::string const a = co_await g.spawn(echo, std::string(text));
    std::string const b = co_await g.spawn(name_of, with_members(text, counted(1)));
    auto const handle = g.spawn(echo, text + "");
    std::string const c = co_await handle;
    co_return a == text&& b == text&& c == text;
  };
  co_return co_await plait::with_task_group(body);
}

task<bool> a_thousand_of_each() {
  for (int i = 0; i < 1000; ++i) {
    bool const a = co_await named_lambda_in_scopes();
    bool const b = co_await moved_lambda();
    bool const c = co_await function_and_arguments();
    if (!a || !b || !c) co_return false;
  }
  co_return true;
}

// --- tasks, combinators and their answers --------------------------------------------------

task<bool> temporaries_as_arguments() {
  std::string const a = co_await echo(std::string(text));
  std::string const b = co_await echo_twice(text);
  std::string const c = co_await echo_twice(co_await echo(text), co_await echo(std::string("b")));
  std::string const d = co_await name_of(with_members(text, counted(1)));
  co_return a == text&& b == text + text&& c == text + "b" && d == text;
}

task<bool> answers_of_combinators() {
  auto const [a, b] = co_await plait::when_all(echo(text), echo_twice("x"));
  plait::first_of<std::string, std::string> const first =
      co_await plait::when_any(echo(text), echo(text));
  bool const kept = std::get<0>(first.values) == text;
  bool const directly = std::get<0>((co_await plait::when_any(echo(text))).values) == text;
  co_return a == text&& b == "x" + text&& first.index == 0 && kept&& directly;
}

task<bool> timeouts_over_tasks_and_operations() {
  std::string const a = co_await plait::with_timeout(1h, echo(std::string(text)));
  bool expired = false;
  try {
    co_await plait::with_timeout(1ms, plait::with_timeout(1h, plait::sleep_forever()));
  } catch (plait::timed_out const&) {
    expired = true;
  }
  co_return a == text&& expired;
}

task<bool> failures_in_await_expressions() {
  auto const fails = [s = text](std::string t) -> task<std::string> {
    co_await plait::yield();
    if (t == s) throw std::runtime_error(s);
    co_return t;
  };
  int caught = 0;
  for (int i = 0; i < 3; ++i) {
    try {
      if (i == 0) static_cast<void>(co_await fails(std::string(text)));
      if (i == 1) static_cast<void>(co_await plait::shield(fails, std::string(text)));
      if (i == 2) static_cast<void>(co_await plait::when_all(fails(text), echo(text)));
    } catch (std::runtime_error const& e) {
      if (e.what() == text) ++caught;
    }
  }
  co_return caught == 3;
}

// --- conditions ----------------------------------------------------------------------------

// With a local in the outermost block, which tests/tidy demands.
task<bool> conditions_with_a_local() {
  int rounds = 0;
  if (co_await yes()) ++rounds;
  while (co_await yes()) {
    if (++rounds == 5) break;
  }
  switch (co_await yes() ? 1 : 2) {
    case 1:
      ++rounds;
      break;
    default:
      break;
  }
  bool const both = co_await yes() && co_await yes();
  bool const chosen = co_await yes() ? co_await yes() : false;
  co_return rounds == 6 && both&& chosen;
}

struct shape {
  char const* name;
  task<bool> (*run)();
};

constexpr shape shapes[] = {
    {"a named lambda in a group", named_lambda_in_a_group},
    {"a named lambda in scopes", named_lambda_in_scopes},
    {"a named lambda that is cut short", named_lambda_cut_short},
    {"a named lambda that is spawned", named_lambda_spawned},
    {"a named lambda by std::ref", named_lambda_by_reference_wrapper},
    {"named lambdas in finally, with options", named_lambdas_with_cleanup},
    {"a moved lambda", moved_lambda},
    {"a moved lambda that cannot be copied", moved_lambda_with_what_cannot_be_copied},
    {"a moved lambda that is spawned", moved_lambda_spawned},
    {"a function and its arguments", function_and_arguments},
    {"a spawned function and its arguments", spawned_function_and_arguments},
    {"a thousand of each", a_thousand_of_each},
    {"temporaries as arguments", temporaries_as_arguments},
    {"the answers of combinators", answers_of_combinators},
    {"timeouts over tasks and operations", timeouts_over_tasks_and_operations},
    {"failures in await expressions", failures_in_await_expressions},
    {"conditions, with a local", conditions_with_a_local},
};

}  // namespace

TEST_CASE("gcc canaries: what plait does with callables and temporaries is right in every shape") {
  for (shape const& s : shapes) {
    INFO(s.name);
    CHECK(right_in_child(s.run));
  }
}

TEST_CASE("gcc canaries: they see a double destruction") {
  auto const end = plait::test::in_child([] {
    alignas(counted) unsigned char place[sizeof(counted)];
    auto* const c = new (place) counted(1);
    c->~counted();
    c->~counted();
    ::_exit(counted::alive != 0 ? 11 : 0);
  });
  CHECK(end.exited_with(11));
}

#if PLAIT_GCC12_AWAIT_BUG
namespace {

struct plain_aggregate {
  std::string name;
  counted count;
};
task<> take(plain_aggregate const&) { co_return; }
task<bool> aggregate_temporary() {
  int const outermost_local = 1;
  co_await take(plain_aggregate{"short", counted(1)});
  co_return outermost_local == 1;
}

task<> without_a_local(bool& ran) {
  if (co_await yes()) ran = true;
}

}  // namespace

// When one of these fails the compiler has been mended, and the guard and tidy's rule can go.
TEST_CASE("gcc canaries: this compiler still destroys an aggregate in an await expression twice") {
  auto const end = plait::test::in_child([] {
    {
      manual_scheduler m;
      m.run(aggregate_temporary);
    }
    ::_exit(counted::alive != 0 ? 11 : 0);
  });
  CHECK_FALSE(end.exited_with(0));
}

TEST_CASE("gcc canaries: this compiler still drops a condition where no local stands outside") {
  auto const end = plait::test::in_child([] {
    bool ran = false;
    {
      manual_scheduler m;
      m.run(without_a_local, std::ref(ran));
    }
    ::_exit(ran ? 0 : 12);
  });
  CHECK_FALSE(end.exited_with(0));
}
#endif
