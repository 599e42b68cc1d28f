#include <plait/testing/sim.hpp>

#include "support/sim_programs.hpp"

#include <plait/detail/splitmix64.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>

#include <catch2/catch.hpp>

#include <cstddef>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::test::echo_among;
using plait::testing::for_each_seed;
using plait::testing::run_sim;
using plait::testing::sim_options;
using plait::testing::sim_order;
using plait::testing::sim_run;

namespace {

std::vector<std::byte> bytes_of(std::uint64_t seed, std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::byte& b : bytes) b = static_cast<std::byte>(plait::detail::splitmix64(seed));
  return bytes;
}

struct observed {
  std::uint64_t trace;
  plait::duration elapsed;
  bool operator==(observed const&) const = default;
};

observed observe(sim_options options) {
  sim_run world(options);
  world.run([] { return echo_among(3); });
  CHECK(world.open_descriptors() == 0);
  return {world.trace(), world.elapsed()};
}

// In which order four tasks run that are ready at once.
std::string order_of_four(sim_options options) {
  std::string order;
  auto const note = [&order](char name) -> task<> {
    order += name;
    co_return;
  };
  auto const program = [&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (char const name : {'a', 'b', 'c', 'd'}) g.spawn(note, name);
      co_await g.join();
    });
  };
  run_sim(program, options);
  return order;
}

// Whether one of two tasks of fifty steps came to its end before the other had begun.
bool one_starves(sim_options options) {
  int begun = 0;
  bool starved = false;
  auto const walk = [&]() -> task<> {
    ++begun;
    for (int i = 0; i < 50; ++i) co_await plait::yield();
    starved = starved || begun == 1;
  };
  auto const program = [&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn(walk);
      g.spawn(walk);
      co_await g.join();
    });
  };
  run_sim(program, options);
  return starved;
}

}  // namespace

TEST_CASE("sim schedules: each policy repeats itself with its seed") {
  for (sim_order const order : {sim_order::random, sim_order::fifo, sim_order::pct}) {
    std::set<std::uint64_t> traces;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
      observed const once = observe({.seed = seed, .order = order});
      CHECK(once == observe({.seed = seed, .order = order}));
      traces.insert(once.trace);
    }
    CHECK(traces.size() == 30);
  }
}

TEST_CASE("sim schedules: bytes repeat a run whatever the seed, and other bytes give another one") {
  std::set<std::uint64_t> traces;
  for (std::uint64_t n = 1; n <= 30; ++n) {
    auto const bytes = bytes_of(n, 3000);
    observed const once = observe({.seed = 1, .bytes = bytes});
    CHECK(once == observe({.seed = 2, .bytes = bytes}));
    traces.insert(once.trace);
  }
  CHECK(traces.size() == 30);
}

TEST_CASE("sim schedules: bytes choose every order, and without them it is the one of the queue") {
  std::set<std::string> orders;
  for (std::uint64_t n = 1; n <= 1000; ++n) {
    auto const bytes = bytes_of(n, 20);
    orders.insert(order_of_four({.bytes = bytes}));
  }
  CHECK(orders.size() == 24);
  CHECK(order_of_four({.bytes = std::span<std::byte const>()}) == "abcd");
}

TEST_CASE("sim schedules: after the bytes nothing is late, split or interrupted") {
  std::span<std::byte const> const none;
  sim_run world({.bytes = none, .short_transfer = 1 - 1e-9, .interrupted = 1 - 1e-9, .reset = 1 - 1e-9});
  world.run([] { return echo_among(1); });
  // The way there and back of the connection, of the bytes and of the end.
  CHECK(world.elapsed() < 20 * sim_options().latency_min);
}

TEST_CASE("sim schedules: pct keeps a task from running for long, which chance would not") {
  int by_chance = 0;
  int by_priority = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    by_chance += one_starves({.seed = seed}) ? 1 : 0;
    by_priority += one_starves({.seed = seed, .order = sim_order::pct}) ? 1 : 0;
  }
  CHECK(by_chance == 0);
  CHECK(by_priority > 50);
}

TEST_CASE("sim schedules: pct lets a task get on that another one waits for by giving way") {
  auto const program = []() -> task<> {
    bool done = false;
    auto const spin = [&]() -> task<> {
      while (!done) co_await plait::yield();
    };
    auto const work = [&]() -> task<> {
      for (int i = 0; i < 5; ++i) co_await plait::yield();
      done = true;
    };
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn(spin);
      g.spawn(spin);
      g.spawn(work);
      co_await g.join();
    });
  };
  CHECK_NOTHROW(for_each_seed(100, program, {.order = sim_order::pct, .time_limit = 1s}));
}

TEST_CASE("sim schedules: pct's change points let a task overtake in the middle") {
  std::set<int> overtaken_at;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    int steps = 0;
    int seen = -1;
    auto const walk = [&]() -> task<> {
      for (int i = 0; i < 20; ++i, ++steps) co_await plait::yield();
    };
    auto const look = [&]() -> task<> {
      seen = steps;
      co_return;
    };
    auto const program = [&]() -> task<> {
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        g.spawn(walk);
        g.spawn(look);
        co_await g.join();
      });
    };
    run_sim(program, {.seed = seed, .order = sim_order::pct, .pct_depth = 2, .pct_steps = 20});
    overtaken_at.insert(seen);
  }
  CHECK(overtaken_at.size() > 10);  // with priorities alone: 0 and 20
}
