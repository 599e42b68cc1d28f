#include <plait/testing/sim.hpp>

#include <plait/cancel.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/thread_pool.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <set>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::thread_pool;
using plait::testing::for_each_seed;
using plait::testing::run_sim;
using plait::testing::sim_run;

namespace {

// The order in which the jobs of four tasks run, and the trace of the run.
std::string order_of_jobs(std::uint64_t seed, std::uint64_t& trace) {
  thread_pool pool({.threads = 2});
  std::string order;
  auto const job = [&](char name) { order += name; };
  auto const one = [&](char name) -> task<> { co_await pool.run(std::cref(job), name); };
  auto const program = [&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (char const name : {'a', 'b', 'c', 'd'}) g.spawn(one, name);
      co_await g.join();
    });
  };
  sim_run world({.seed = seed});
  world.run(program);
  trace = world.trace();
  return order;
}

}  // namespace

TEST_CASE("sim jobs: a pool's job runs on the simulation's thread, and takes virtual time") {
  thread_pool pool({.threads = 1});
  std::set<plait::duration> took;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::thread::id there;
    auto const where = [] { return std::this_thread::get_id(); };
    auto const program = [&]() -> task<> {
      auto const begin = plait::clock::now();
      there = co_await pool.run(where);
      took.insert(plait::clock::now() - begin);
    };
    run_sim(program, {.seed = seed, .job_max = 1h});
    CHECK(there == std::this_thread::get_id());
  }
  CHECK(took.size() == 20);
  CHECK(*took.rbegin() > 30min);
}

TEST_CASE("sim jobs: the jobs of several tasks run in many orders, each seed's the same again") {
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    std::string const order = order_of_jobs(seed, first);
    CHECK(order == order_of_jobs(seed, second));
    CHECK(first == second);
    orders.insert(order);
  }
  CHECK(orders.size() == 24);
}

TEST_CASE("sim jobs: a job that is cancelled in time never runs, and otherwise its value is delivered") {
  thread_pool pool({.threads = 1});
  int cancelled = 0;
  int completed = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    bool ran = false;
    bool in_time = false;
    auto const note = [&] { ran = true; };
    auto const program = [&]() -> task<> {
      auto const work = [&]() -> task<> { co_await pool.run(std::cref(note)); };
      in_time = co_await plait::move_on_after(500us, work);
      co_await plait::sleep_for(1s);
    };
    run_sim(program, {.seed = seed, .job_max = 1ms});
    CHECK(ran == in_time);
    ++(in_time ? completed : cancelled);
  }
  CHECK(cancelled > 20);
  CHECK(completed > 20);
}

TEST_CASE("sim jobs: what a job throws arrives, and the pool serves real threads' schedulers as before") {
  thread_pool pool({.threads = 1});
  auto const fails = [] { throw std::runtime_error("as it is"); };
  auto const program = [&]() -> task<> { co_await pool.run(fails); };
  CHECK_THROWS_WITH(run_sim(program), "as it is");
  auto const where = [] { return std::this_thread::get_id(); };
  auto const real = [&]() -> task<std::thread::id> { co_return co_await pool.run(where); };
  CHECK(plait::run(real) != std::this_thread::get_id());
}
