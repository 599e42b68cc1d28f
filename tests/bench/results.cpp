#include <catch2/catch.hpp>

#include "method/cell.hpp"
#include "method/report.hpp"
#include "method/warnings.hpp"
#include "method/window.hpp"

using namespace plait::lab;

namespace {

bool has(std::vector<warning> const& list, std::string const& id) {
  for (warning const& w : list)
    if (w.id == id) return true;
  return false;
}

cell some_cell() {
  cell c;
  c.workload = "io.echo";
  c.model = "coro/epoll";
  c.n = 100;
  c.workers = 2;
  c.window_s = 0.25;
  c.warmup_s = 0.05;
  c.seed = 77;
  return c;
}

}  // namespace

TEST_CASE("cell: survives its JSON") {
  cell const c = some_cell();
  cell const back = cell_from_json(to_json(c));
  CHECK(back.workload == c.workload);
  CHECK(back.model == c.model);
  CHECK(back.n == c.n);
  CHECK(back.workers == c.workers);
  CHECK(back.window_s == c.window_s);
  CHECK(back.warmup_s == c.warmup_s);
  CHECK(back.seed == c.seed);
  CHECK(c.label() == "io.echo coro/epoll N=100");
}

TEST_CASE("repetition: survives its JSON, with everything optional and with nothing") {
  rep_result r;
  r.ops = 1234;
  r.wall_s = 0.251;
  r.value = 4916.3;
  r.used = {0.1, 0.2, 3, 4};
  r.drift = -0.02;
  r.memory = unit_memory{1, 2, 3, 4, 5, 6};
  r.latency.add(1500, 3);
  r.latency.add(99'000);
  r.extra["jobs_per_s"] = 42;
  rep_result const back = rep_from_json(to_json(r));
  CHECK(back.ops == r.ops);
  CHECK(back.value == r.value);
  CHECK(back.used.system_s == 0.2);
  CHECK(back.used.involuntary == 4);
  CHECK(back.drift == r.drift);
  REQUIRE(back.memory.has_value());
  CHECK(back.memory->system() == 2 + 3 + 4 + 5);
  CHECK(back.latency.buckets() == r.latency.buckets());
  CHECK(back.extra == r.extra);
  CHECK(back.error.empty());

  rep_result failed;
  failed.error = "wrong answer: \xff not UTF-8";
  CHECK(rep_from_json(to_json(failed)).error.starts_with("wrong answer"));
  CHECK_FALSE(rep_from_json(to_json(failed)).memory.has_value());
}

TEST_CASE("repetition: text that is no result is an exception, never a result") {
  for (char const* text : {"", "{", "[]", "{\"ops\":1}", "null", "{\"ops\":\"many\"}"})
    CHECK_THROWS(rep_from_json(text));
}

TEST_CASE("summary: medians over the repetitions, latencies of all of them") {
  cell_result c;
  c.cell = some_cell();
  CHECK_FALSE(c.summarise(1).has_value());
  for (double const value : {10.0, 30.0, 20.0}) {
    rep_result r;
    r.ops = 100;
    r.wall_s = 2;
    r.value = value;
    r.used = {value / 10, 0, 50, 50};
    r.latency.add(static_cast<std::uint64_t>(value));
    c.reps.push_back(r);
  }
  auto const s = c.summarise(1);
  REQUIRE(s.has_value());
  CHECK(s->median == 20);
  CHECK(s->ci95.low == 10);
  CHECK(s->ci95.high == 30);
  CHECK(s->half_width() == Approx(0.5));
  CHECK(s->cpu_per_op_s == Approx(0.02));
  CHECK(s->switches_per_op == Approx(1));
  CHECK(s->cpus_busy == Approx(1));
  CHECK(s->latency.count() == 3);
  c.error = "wrong answer";
  CHECK_FALSE(c.summarise(1).has_value());
}

TEST_CASE("window: counts what was added after the warm-up, and ends") {
  cell c = some_cell();
  c.warmup_s = 0;
  c.window_s = 0.01;
  window w(c);
  CHECK_FALSE(w.counting());
  double batches = 0;
  while (w.more()) {
    CHECK(w.counting());
    w.add(3);
    batches += 1;
  }
  CHECK_FALSE(w.more());
  rep_result const r = w.result();
  CHECK(batches >= 1);
  CHECK(r.ops == 3 * batches);
  CHECK(r.wall_s >= 0.01);
  CHECK(r.value == Approx(r.ops / r.wall_s));
}

TEST_CASE("window: what the warm-up did is forgotten") {
  cell c = some_cell();
  c.warmup_s = 0.005;
  c.window_s = 0.005;
  window w(c);
  double counted = 0;
  while (w.more()) {
    w.add(1);
    if (w.counting()) counted += 1;
  }
  CHECK(counted >= 1);
  CHECK(w.result().ops == counted);
}

TEST_CASE("warnings: a debug build, a busy machine and a fallback are named") {
  environment quiet;
  quiet.driver = "io_uring";
  quiet.cpus = 4;
  CHECK(machine_warnings(quiet).empty());
  environment e = quiet;
  e.optimised = false;
  e.hypervisor = "KVM";
  e.pressure_before = 36;
  e.load_before = 9;
  e.governor = "powersave";
  e.smt = true;
  e.turbo = true;
  e.driver = "epoll";
  e.driver_reason = "not permitted";
  auto const list = machine_warnings(e);
  for (char const* id :
       {"W-DEBUG", "W-VM", "W-PSI", "W-LOAD", "W-GOVERNOR", "W-SMT", "W-TURBO", "W-FALLBACK"})
    CHECK(has(list, id));
}

TEST_CASE("warnings: few repetitions, drift, limits, steal and a busy client are named") {
  bench_report report;
  report.repetitions = 10;
  CHECK(run_warnings(report).empty());
  report.repetitions = 2;
  report.env.steal = 0.05;
  cell_result& c = report.cells.emplace_back();
  c.cell = some_cell();
  c.cell.window_s = 0.05;
  rep_result r;
  r.ops = 1;
  r.wall_s = 1;
  r.value = 1;
  r.drift = 0.5;
  r.extra["client_cpu"] = 0.95;
  c.reps = {r};
  c.sum = c.summarise(1);
  report.cells.emplace_back().limit = limit_hit{"pid_max", 32768};
  auto const list = run_warnings(report);
  for (char const* id :
       {"W-FEW", "W-STEAL", "W-SHORT", "W-DRIFT", "W-LIMIT", "W-CLIENT", "W-CLOSED", "W-SHARED"})
    CHECK(has(list, id));
}
