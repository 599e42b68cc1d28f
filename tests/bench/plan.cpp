#include <catch2/catch.hpp>

#include <limits>
#include <set>

#include "method/plan.hpp"
#include "workloads/workload.hpp"

using namespace plait::lab;
using Catch::Matchers::Contains;

namespace {

constexpr double none = std::numeric_limits<double>::infinity();

machine_limits boundless() { return {none, none, none, none, none, none, 64e9, 100}; }

bench_options options_of(std::vector<std::string> selection, preset p = preset::normal) {
  bench_options o;
  o.selection = std::move(selection);
  o.preset = p;
  o.seed = 7;
  return o;
}

std::size_t count_model(std::vector<planned_cell> const& plan, std::string const& model) {
  std::size_t found = 0;
  for (planned_cell const& p : plan) found += p.cell.model == model ? 1 : 0;
  return found;
}

}  // namespace

TEST_CASE("plan: the tour has at most 24 cells and touches every workload") {
  auto const plan = make_plan(options_of({}, preset::quick), boundless(), 2);
  CHECK(plan.size() <= 24);
  std::set<std::string> seen;
  for (planned_cell const& p : plan) seen.insert(p.cell.workload);
  for (char const* id : {"io.sleepers", "io.echo", "io.files", "cpu.primes", "cpu.sha256",
                         "mix.heartbeat", "cost.spawn", "cost.memory"})
    CHECK(seen.contains(id));
}

TEST_CASE("plan: every workload has a model, sizes, and names of its own") {
  std::set<std::string_view> ids;
  for (workload const& w : workloads()) {
    CHECK(ids.insert(w.id).second);
    CHECK(w.models.size() >= 2);
    CHECK_FALSE(w.sizes.empty());
    CHECK_FALSE(w.full_sizes.empty());
    std::set<std::string_view> models;
    for (model_entry const& m : w.models) {
      CHECK(models.insert(m.name).second);
      CHECK(m.run != nullptr);
    }
  }
}

TEST_CASE("plan: an unknown workload is refused with the list of those there are") {
  CHECK_THROWS_WITH(make_plan(options_of({"io.ehco"}), boundless(), 2),
                    Contains("io.ehco") && Contains("io.echo") && Contains("cost"));
  auto o = options_of({"io.echo"});
  o.models = {"fibres"};
  CHECK_THROWS_WITH(make_plan(o, boundless(), 2), Contains("fibres") && Contains("thread"));
  o.models = {};
  o.drivers = {"kqueue"};
  CHECK_THROWS_WITH(make_plan(o, boundless(), 2), Contains("io_uring"));
}

TEST_CASE("plan: models that none of the workloads has are a usage error") {
  auto o = options_of({"cpu.primes"});
  o.models = {"uring"};
  CHECK_THROWS_AS(make_plan(o, boundless(), 2), usage_error);
}

TEST_CASE("plan: a group takes all its workloads, models once for each driver asked for") {
  auto o = options_of({"io.echo"});
  o.drivers = {"io_uring", "epoll"};
  auto const plan = make_plan(o, boundless(), 2);
  CHECK(count_model(plan, "coro/io_uring") == 1);
  CHECK(count_model(plan, "coro/epoll") == 1);
  CHECK(count_model(plan, "coro") == 0);
  CHECK(count_model(plan, "thread") == 1);
  CHECK(plan.front().cell.driver() == "io_uring");
  CHECK(plan.front().cell.model_name() == "coro");
}

TEST_CASE("plan: several sizes and workers multiply only what they concern") {
  auto o = options_of({"cpu.primes"});
  o.sizes = {2, 4};
  o.workers = {1, 2, 3};
  auto const plan = make_plan(o, boundless(), 2);
  CHECK(count_model(plan, "pool") == 6);
  CHECK(count_model(plan, "inline") == 2);
}

TEST_CASE("plan: a cell beyond a limit says which, and is not run") {
  auto limits = boundless();
  limits.pid_max = 32'768;
  auto o = options_of({"io.sleepers"});
  o.sizes = {100'000};
  auto const plan = make_plan(o, limits, 2);
  for (planned_cell const& p : plan) {
    bool const kernel_task = p.cell.model == "thread" || p.cell.model == "process";
    CHECK(p.limit.has_value() == kernel_task);
    if (p.limit) CHECK(p.limit->text() == "pid_max 32768");
  }
  for (turn const& t : make_order(plan, 3, 1)) CHECK_FALSE(plan[t.cell].limit.has_value());
}

TEST_CASE("limits: each is named when it is the one that is hit") {
  need threads;
  threads.threads = 20'000;
  threads.maps = 40'000;
  threads.memory = 20'000 * 42e3;
  CHECK_FALSE(find_limit(threads, boundless()).has_value());
  auto const name_with = [&](double machine_limits::* limit, double value, need const& n) {
    auto limits = boundless();
    limits.*limit = value;
    auto const hit = find_limit(n, limits);
    return hit ? hit->text() : std::string("none");
  };
  CHECK(name_with(&machine_limits::threads_max, 1000, threads) == "threads-max 1000");
  CHECK(name_with(&machine_limits::nproc, 500, threads) == "RLIMIT_NPROC 500");
  CHECK(name_with(&machine_limits::pids_cgroup, 512, threads) == "pids.max 512");
  CHECK(name_with(&machine_limits::max_map_count, 30'000, threads) == "max_map_count 30000");
  CHECK(name_with(&machine_limits::memory, 0.5 * (1 << 30), threads) == "memory 0.5 GiB free");
  need sockets;
  sockets.descriptors = 1024;
  CHECK(name_with(&machine_limits::nofile, 1024, sockets) == "RLIMIT_NOFILE 1024");
  CHECK(name_with(&machine_limits::nofile, 2048, sockets) == "none");
}

TEST_CASE("order: a seed gives one order, in which every turn stands once") {
  auto const plan = make_plan(options_of({}, preset::quick), boundless(), 2);
  auto const order = make_order(plan, 7, 99);
  CHECK(order == make_order(plan, 7, 99));
  CHECK_FALSE(order == make_order(plan, 7, 100));
  CHECK(order.size() == plan.size() * 7);
  std::set<std::pair<std::size_t, int>> seen;
  for (turn const& t : order) CHECK(seen.insert({t.cell, t.repetition}).second);
}
