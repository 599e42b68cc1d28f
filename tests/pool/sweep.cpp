// Scenarios with pools go wrong at every await. Those with threads run on a manual scheduler, where
// every allocation may fail, too; those with processes on a kernel driver, where they are cancelled
// and time out: what is thrown into the tasks that look after the workers is theirs to deal with.
#include <plait/testing/sweep.hpp>

#include "support/allocate.hpp"
#include "support/count_runs.hpp"

#include <plait/process_pool.hpp>
#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/thread_pool.hpp>
#include <plait/when.hpp>

#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

using namespace plait;
using namespace plait::testing;
using plait::test::count_runs;

namespace {

void require(bool holds, char const* what) {
  if (!holds) throw std::logic_error(what);
}

int squared(int n) { return n * n; }
std::string repeated(std::string const& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}
int refuses(int) { throw std::out_of_range("not this one"); }
int counts_until_stopped(std::stop_token stop) {
  for (int n = 0;; ++n) {
    if (stop.stop_requested()) throw job_stopped();
    if (n == 1000) return n;
  }
}

template <class Pool>
task<> square(Pool& pool, int n) {
  int const got = co_await pool.run(squared, n);
  require(got == n * n, "another answer");
}

template <class Pool>
task<> is_refused(Pool& pool) {
  bool refused = false;
  try {
    co_await pool.run(refuses, 1);
  } catch (std::out_of_range const&) {
    refused = true;
  }
  require(refused, "no exception came back");
}

// --- threads ---

task<> jobs_in_a_row() {
  thread_pool pool({.threads = 1, .name = "swept"});
  for (int i = 0; i < 3; ++i) co_await square(pool, i);
}

task<> more_jobs_than_threads() {
  thread_pool pool({.threads = 1, .name = "swept"});
  co_await when_all(square(pool, 1), square(pool, 2), square(pool, 3), square(pool, 4));
}

task<> jobs_that_throw() {
  thread_pool pool({.threads = 2, .name = "swept"});
  co_await when_all(is_refused(pool), is_refused(pool));
}

task<> the_first_of_two_jobs() {
  thread_pool pool({.threads = 2, .name = "swept"});
  auto got = co_await when_any(pool.run(squared, 3), pool.run(squared, 3));
  require(got.value() == 9, "another answer");
}

task<> jobs_that_can_be_stopped() {
  thread_pool pool({.threads = 1, .name = "swept"});
  auto const stoppable = [&]() -> task<> {
    int const n = co_await pool.run(counts_until_stopped);
    require(n == 1000, "another answer");
  };
  co_await when_all(stoppable(), stoppable());
}

// --- processes ---

task<> a_job_in_a_process() {
  process_pool pool({.workers = 1});
  co_await square(pool, 7);
  co_await pool.shutdown();
}

task<> jobs_in_two_processes() {
  process_pool pool({.workers = 2});
  co_await pool.start();
  auto const repeat = [&]() -> task<> {
    std::string const got = co_await pool.run(repeated, std::string("ab"), 3);
    require(got == "ababab", "another answer");
  };
  co_await when_all(repeat(), square(pool, 2), is_refused(pool));
}

task<> a_pool_that_is_not_shut_down() {
  process_pool pool({.workers = 1});
  co_await is_refused(pool);
}

class kernel_world final : public sweep_world {
 public:
  scheduler& sched() override { return scheduler_; }
  bool run(std::function<task<bool>()> const& whole) override {
    return run_on(scheduler_, whole());
  }
  void pass_time() override {}  // it does
  std::string left() override { return ""; }

 private:
  scheduler scheduler_{make_driver()};
};

scenario on_a_kernel(scenario s) {
  s.world = [] { return std::make_unique<kernel_world>(); };
  s.same_awaits = false;
  return s;
}

std::vector<scenario> thread_scenarios() {
  return {
      {.name = "jobs in a row", .body = jobs_in_a_row},
      {.name = "more jobs than threads", .body = more_jobs_than_threads},
      {.name = "jobs that throw", .body = jobs_that_throw},
      {.name = "the first of two jobs", .body = the_first_of_two_jobs},
      {.name = "jobs that can be stopped", .body = jobs_that_can_be_stopped},
  };
}

std::vector<scenario> process_scenarios() {
  return {
      on_a_kernel({.name = "a job in a process", .body = a_job_in_a_process}),
      on_a_kernel({.name = "jobs in two processes", .body = jobs_in_two_processes}),
      on_a_kernel({.name = "a pool that is not shut down", .body = a_pool_that_is_not_shut_down}),
  };
}

long sweep_processes(await_action action) {
  return count_runs("await sweep runs", process_scenarios(),
               [action](scenario const& s) { return for_each_await(s, action); });
}

}  // namespace

TEST_CASE("pool sweep: every scenario with threads goes wrong at every await, in each way") {
  for (await_action const action : all_await_actions) {
    auto const each = [action](scenario const& s) { return for_each_await(s, action); };
    CHECK(count_runs("await sweep runs", thread_scenarios(), each) >= 13);
  }
}

TEST_CASE("pool sweep: every allocation of every scenario with threads fails") {
  CHECK(count_runs("allocation sweep runs", thread_scenarios(), for_each_allocation) >=
        (PLAIT_TEST_OPERATOR_NEW ? 20 : 0));
}

TEST_CASE("pool sweep: every scenario with processes is cancelled at every await") {
  CHECK(sweep_processes(await_action::cancel) >= 8);
}

TEST_CASE("pool sweep: every scenario with processes is cancelled while it is suspended") {
  CHECK(sweep_processes(await_action::cancel_suspended) >= 8);
}

TEST_CASE("pool sweep: every deadline around a scenario with processes passes") {
  CHECK(sweep_processes(await_action::timeout) >= 8);
}
