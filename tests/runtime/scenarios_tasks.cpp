// Awaits, values, exceptions, the clock, calls from elsewhere.
#include "scenarios.hpp"

#include "support/operations.hpp"

#include <plait/async_generator.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/thread_pool.hpp>

#include <memory>
#include <string>
#include <vector>

#include <poll.h>

using namespace std::chrono_literals;
using plait::testing::scenario;

namespace plait::test {
namespace {

task<> hold(counted) {
  co_await sleep_for(1ms);
  co_await yield();
}

task<> awaits_in_a_row() {
  counted const local(1);
  for (int i = 0; i < 5; ++i) co_await hold(counted(i));
}

task<> awaits_that_are_ready() {
  counted const local(1);
  int sum = 0;
  for (int i = 0; i < 70; ++i) sum += co_await ready_operation(i);
  require(sum == 70 * 69 / 2, "another sum");
}

task<int> count_down(int from) {
  counted const local(from);
  co_await yield();
  if (from == 0) co_return 0;
  int const rest = co_await count_down(from - 1);
  co_return rest + 1;
}

task<> recursion() {
  int const depth = co_await count_down(12);
  require(depth == 12, "another depth");
}

task<> throw_at(int depth) {
  counted const local(depth);
  co_await yield();
  if (depth == 0) throw own_error();
  co_await throw_at(depth - 1);
}

task<> recursion_that_throws() {
  bool caught = false;
  try {
    co_await throw_at(8);
  } catch (own_error const&) {
    caught = true;
  }
  require(caught, "nothing was thrown");
  co_await yield();
}

task<std::unique_ptr<counted>> make_boxed(int n) {
  auto made = std::make_unique<counted>(n);
  co_await yield();
  co_return std::move(made);
}

task<> results_that_only_move() {
  std::vector<std::unique_ptr<counted>> all;
  for (int i = 0; i < 4; ++i) all.push_back(co_await make_boxed(i));
  require(all[3]->value() == 3, "another value");
}

task<counted&> pass_on(counted& one) {
  co_await sleep_for(1ms);
  co_return one;
}

task<> results_that_refer() {
  counted local(4);
  for (int i = 0; i < 3; ++i) {
    counted const& same = co_await pass_on(local);
    require(&same == &local, "another object");
  }
}

task<std::string> join_words(std::string first, std::string const& second) {
  co_await yield();
  std::string both = first + ", " + second;
  co_await yield();
  co_return both;
}

task<> results_that_allocate() {
  std::string text = "a text that is too long for a small string";
  for (int i = 0; i < 3; ++i) {
    std::string const longer = co_await join_words(text, "and more of it");
    text = longer;
  }
  require(text.size() == 42 + 3 * 16, "another text");
}

task<> tasks_that_nobody_awaits() {
  task<> moved_away = hold(counted(1));
  task<> const never = hold(counted(2));
  co_await std::move(moved_away);
  std::vector<task<>> many;
  for (int i = 0; i < 5; ++i) many.push_back(hold(counted(i)));
  co_await std::move(many[2]);
}

// Throws and catches while an exception passes by.
struct busy_in_its_destructor {
  ~busy_in_its_destructor() {
    try {
      throw own_error();
    } catch (own_error const&) {
      ++times;
    }
  }
  static inline int times = 0;
};

task<> throws_while_unwinding() {
  try {
    busy_in_its_destructor const outer;
    try {
      busy_in_its_destructor const inner;
      co_await throw_at(2);
    } catch (own_error const&) {
      busy_in_its_destructor const late;
      throw;
    }
  } catch (own_error const&) {
  }
  co_await yield();
}

// C++ cannot await in a handler: what was caught is kept, and the work goes on.
task<> errors_that_are_kept() {
  std::vector<std::exception_ptr> kept;
  for (int i = 0; i < 3; ++i) {
    try {
      co_await throw_at(i);
    } catch (own_error const&) {
      kept.push_back(std::current_exception());
    }
    co_await yield();
  }
  require(kept.size() == 3, "an error is missing");
}

task<> tries_again() {
  for (int attempt = 0; attempt < 3; ++attempt) {
    try {
      co_await hold(counted(attempt));
    } catch (std::exception const&) {
    }
  }
}

task<> many_kinds_of_sleep() {
  time_point const begin = clock::now();
  co_await sleep_for(0ms);
  co_await sleep_for(-5ms);
  co_await sleep_until(begin - 1h);
  co_await sleep_for(3ms);
  co_await sleep_until(begin + 7ms);
  require(clock::now() - begin >= 7ms, "it woke too early");
}

task<> nap_for_long(int ms) {
  for (int i = 0; i < 3; ++i) co_await sleep_for(std::chrono::milliseconds(ms));
}

task<> sleepers_of_one_deadline() {
  co_await with_task_group([](task_group& g) -> task<> {
    for (int i = 0; i < 4; ++i) g.spawn(nap_for_long, 2);
    co_await g.join();
  });
}

// A call that opens a gate, and that has run or is out of the inbox when it goes.
struct opening_call : remote_call {
  explicit opening_call(gate& g) noexcept
      : remote_call([](remote_call& c) noexcept {
          gate& opened = static_cast<opening_call&>(c).to_open;
          if (opened.occupied()) opened.open(5);
        }),
        to_open(g) {}
  ~opening_call() { scheduler::current().drain_inbox(); }
  gate& to_open;
};

task<> posts_from_inside() {
  for (int i = 0; i < 3; ++i) {
    gate way;
    opening_call call(way);
    scheduler::current().post(call);
    int const got = co_await way.wait();
    require(got == 5, "another value");
  }
}

task<> open_after_ms(gate& way, int ms) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  if (way.occupied()) way.open(ms);
}

task<> gates_between_tasks() {
  gate first;
  gate second;
  co_await with_task_group(
      [](task_group& g, gate* a, gate* b) -> task<> {
        g.spawn(open_after_ms, std::ref(*b), 2);
        g.spawn(open_after_ms, std::ref(*a), 1);
        int const one = co_await a->wait();
        int const two = co_await b->wait();
        require(one == 1 && two == 2, "another order");
        co_await g.join();
      },
      &first, &second);
}

task<> make_ready_after_ms(int ms) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  auto& world = static_cast<testing::manual_driver&>(scheduler::current().io());
  if (!world.waits().empty()) world.finish(*world.waits().front(), POLLIN);
}

task<> waits_for_descriptors() {
  co_await with_task_group([](task_group& g) -> task<> {
    for (int i = 0; i < 3; ++i) {
      g.spawn(make_ready_after_ms, 1);
      short const events = co_await fd_wait(0, POLLIN);
      require(events == POLLIN, "other events");
    }
  });
}

int square(int n) { return n * n; }
int square_unless_stopped(std::stop_token, int n) { return n * n; }
int fail() { throw own_error(); }

task<> jobs_on_threads() {
  thread_pool pool({.threads = 2, .name = "swept"});
  int const first = co_await pool.run(square, 3);
  int const second = co_await pool.run(square_unless_stopped, 4);
  bool caught = false;
  try {
    co_await pool.run(fail);
  } catch (own_error const&) {
    caught = true;
  }
  require(first == 9 && second == 16 && caught, "another answer");
}

task<> run_square(thread_pool& pool, int n) {
  int const got = co_await pool.run(square, n);
  require(got == n * n, "another answer");
}

task<> jobs_of_several_tasks() {
  thread_pool pool({.threads = 2, .name = "swept"});
  co_await with_task_group(
      [](task_group& g, thread_pool* p) -> task<> {
        for (int i = 0; i < 4; ++i) g.spawn(run_square, std::ref(*p), i);
        co_await g.join();
      },
      &pool);
}

async_generator<counted> countdown(int from) {
  counted const local(from);
  bool closed = false;
  try {
    for (int i = from; i > 0; --i) {
      co_await sleep_for(1ms);
      co_yield counted(i);
    }
  } catch (detail::generator_closed const&) {
    closed = true;
  }
  if (closed) co_await yield();
}

task<> values_one_by_one() {
  auto numbers = countdown(4);
  int sum = 0;
  for (auto one = co_await numbers.next(); one; one = co_await numbers.next()) sum += one->value();
  require(sum == 10, "another sum");
  auto left = countdown(4);
  auto const first = co_await left.next();
  require(first->value() == 4, "another value");
}

task<> values_until_enough() {
  int sum = 0;
  auto const add = [&sum](counted& one) -> task<bool> {
    co_await yield();
    sum += one.value();
    co_return one.value() > 3;
  };
  co_await for_each(countdown(5), add);
  require(sum == 12, "another sum");
}

}  // namespace

std::vector<scenario> thread_scenarios() {
  return {{.name = "jobs on threads", .body = jobs_on_threads},
          {.name = "jobs of several tasks", .body = jobs_of_several_tasks}};
}

void add_task_scenarios(std::vector<scenario>& to) {
  to.push_back({.name = "awaits in a row", .body = awaits_in_a_row});
  to.push_back({.name = "awaits that are ready", .body = awaits_that_are_ready});
  to.push_back({.name = "recursion", .body = recursion});
  to.push_back({.name = "recursion that throws", .body = recursion_that_throws});
  to.push_back({.name = "results that only move", .body = results_that_only_move});
  to.push_back({.name = "results that refer", .body = results_that_refer});
  to.push_back({.name = "results that allocate", .body = results_that_allocate});
  to.push_back({.name = "tasks that nobody awaits", .body = tasks_that_nobody_awaits});
  to.push_back({.name = "throws while unwinding", .body = throws_while_unwinding});
  to.push_back({.name = "errors that are kept", .body = errors_that_are_kept});
  to.push_back({.name = "tries again", .body = tries_again, .handles_errors = true});
  to.push_back({.name = "many kinds of sleep", .body = many_kinds_of_sleep});
  to.push_back({.name = "sleepers of one deadline", .body = sleepers_of_one_deadline});
  to.push_back({.name = "posts from inside", .body = posts_from_inside});
  to.push_back({.name = "gates between tasks", .body = gates_between_tasks});
  to.push_back({.name = "values one by one", .body = values_one_by_one});
  to.push_back({.name = "values until it is enough", .body = values_until_enough});
  to.push_back({.name = "waits for descriptors", .body = waits_for_descriptors});
}

}  // namespace plait::test
