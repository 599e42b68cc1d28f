#include <catch2/catch.hpp>

#include <string>

#include "method/rng.hpp"
#include "output/table.hpp"
#include "output/verdict.hpp"

using namespace plait::lab;
using Catch::Matchers::Contains;

namespace {

cell_result cell_with(std::string workload, std::string model, long n,
                      std::vector<double> const& values, double cpu_s = 0.5) {
  cell_result c;
  c.cell.workload = std::move(workload);
  c.cell.model = std::move(model);
  c.cell.n = n;
  for (double const value : values) {
    rep_result r;
    r.value = value;
    r.ops = value;
    r.wall_s = 1;
    r.used.user_s = cpu_s;
    c.reps.push_back(r);
  }
  c.sum = c.summarise(1);
  return c;
}

bench_report report_of(std::vector<cell_result> cells) {
  bench_report report;
  report.repetitions = cells.empty() ? 0 : static_cast<int>(cells.front().reps.size());
  report.cells = std::move(cells);
  report.verdict = make_verdict(report);
  return report;
}

std::string text_of(bench_report const& report) {
  std::string all;
  for (auto const& sentence : report.verdict) all += sentence + "\n";
  return all;
}

// n values around `middle`, `spread` of it wide.
std::vector<double> around(double middle, double spread, rng& random, int n = 10) {
  std::vector<double> values;
  for (int i = 0; i < n; ++i)
    values.push_back(middle * (1 + spread * (static_cast<double>(random.below(2001)) / 1000 - 1)));
  return values;
}

}  // namespace

TEST_CASE("verdict: names a clear winner, by how much, and why") {
  rng random(1);
  auto const report =
      report_of({cell_with("io.echo", "thread", 100, around(100e3, 0.02, random), 0.9),
                 cell_with("io.echo", "coro", 100, around(200e3, 0.02, random), 0.9)});
  CHECK_THAT(text_of(report), Contains("io.echo N=100: coro wins") && Contains("x thread") &&
                                  Contains("less CPU per message"));
}

TEST_CASE("verdict: never names a winner inside the noise") {
  // Both from one distribution: in 200 tables, Holm at 5 % may let about ten through.
  rng random(3);
  int named = 0;
  for (int trial = 0; trial < 200; ++trial) {
    auto const report = report_of({cell_with("io.echo", "thread", 100, around(1e5, 0.1, random)),
                                   cell_with("io.echo", "coro", 100, around(1e5, 0.1, random))});
    named += text_of(report).find("wins") != std::string::npos ? 1 : 0;
  }
  CHECK(named <= 20);
}

TEST_CASE("verdict: a difference below 2 % is noise, however steady") {
  rng random(4);
  auto const report = report_of({cell_with("io.echo", "thread", 100, around(100e3, 0.001, random)),
                                 cell_with("io.echo", "coro", 100, around(101e3, 0.001, random))});
  CHECK_THAT(text_of(report),
             Contains("no difference shown") && Contains("within 2%") && !Contains("wins"));
}

TEST_CASE("verdict: too few repetitions are said to be too few, not equal") {
  auto const report = report_of({cell_with("io.echo", "thread", 100, {1, 2, 3}),
                                 cell_with("io.echo", "coro", 100, {100, 101, 102})});
  CHECK_THAT(text_of(report),
             Contains("needs >= 4 runs") && !Contains("wins") && !Contains("no difference"));
}

TEST_CASE("verdict: the correction covers the whole table") {
  // Eight clean groups of five repetitions: alone p = 0.008, times eight comparisons 0.06.
  std::vector<cell_result> cells;
  for (long n = 1; n <= 8; ++n) {
    cells.push_back(cell_with("io.echo", "coro", n, {201, 202, 203, 204, 205}));
    cells.push_back(cell_with("io.echo", "thread", n, {101, 102, 103, 104, 105}));
  }
  CHECK_THAT(text_of(report_of(cells)), Contains("needs >= 6 runs") && !Contains("wins"));
  cells.resize(4);
  CHECK_THAT(text_of(report_of(cells)), Contains("coro wins"));
}

TEST_CASE("verdict: lower is better where time and memory are measured") {
  rng random(6);
  auto const report = report_of({cell_with("cost.spawn", "thread", 1, around(50e-6, 0.02, random)),
                                 cell_with("cost.spawn", "coro", 1, around(50e-9, 0.02, random))});
  CHECK_THAT(text_of(report), Contains("cost.spawn: coro wins: thread") && Contains("the time"));
}

TEST_CASE("verdict: a model that a limit stops is named with the limit") {
  rng random(8);
  auto thread = cell_with("io.sleepers", "thread", 100'000, {});
  thread.limit = limit_hit{"pid_max", 32768};
  auto const report =
      report_of({cell_with("io.sleepers", "coro", 100'000, around(9e5, 0.02, random)), thread});
  CHECK_THAT(text_of(report), Contains("coro alone can: thread cannot (pid_max 32768)"));
}

TEST_CASE("verdict: parallelism is the reason where more CPUs were busy") {
  rng random(9);
  auto const report =
      report_of({cell_with("cpu.primes", "inline", 16, around(1000, 0.02, random), 1.0),
                 cell_with("cpu.primes", "pool", 16, around(1950, 0.02, random), 1.95)});
  CHECK_THAT(text_of(report), Contains("pool wins") && Contains("1.9 CPUs busy, inline 1.0"));
}

TEST_CASE("verdict: a failed cell takes part in nothing") {
  rng random(10);
  auto broken = cell_with("io.echo", "thread", 100, around(9e9, 0.01, random));
  broken.error = "wrong answer";
  broken.sum.reset();
  auto const report =
      report_of({broken, cell_with("io.echo", "coro", 100, around(1e5, 0.02, random))});
  CHECK(report.verdict.empty());
  CHECK(report.failed());
}

TEST_CASE("table: shows every cell, failures and limits in words") {
  rng random(12);
  auto limited = cell_with("io.echo", "process", 100, {});
  limited.limit = limit_hit{"RLIMIT_NOFILE", 1024};
  auto broken = cell_with("io.echo", "asio", 100, {});
  broken.error = "wrong answer: other bytes came back than were sent";
  auto report = report_of({cell_with("io.echo", "coro", 100, around(2e5, 0.02, random)), limited,
                           broken, cell_with("io.echo", "thread", 100, {})});
  report.command = {"plait", "bench", "io.echo", "--seed", "7"};
  std::string const text = render_tables(report, look{});
  CHECK_THAT(text, Contains("io.echo") && Contains("higher is better") && Contains("1.00") &&
                       Contains("n/a  (limit: RLIMIT_NOFILE 1024)") &&
                       Contains("FAILED  wrong answer") && Contains("not run") &&
                       Contains("again: plait bench io.echo --seed 7"));
  CHECK_THAT(text, !Contains("\033"));
  look colored;
  colored.color = true;
  CHECK_THAT(render_tables(report, colored), Contains("\033[31m"));
}

TEST_CASE("format: three digits, and the unit that fits") {
  CHECK(short_value(metric::per_second, 98'432) == "98.4k/s");
  CHECK(short_value(metric::per_second, 999.96) == "1.00k/s");
  CHECK(short_value(metric::bytes_per_second, 1.96e9) == "1.96 GB/s");
  CHECK(short_value(metric::time_per_op, 58e-9) == "58.0 ns");
  CHECK(short_value(metric::lateness, 0.00118) == "1.18 ms");
  CHECK(short_value(metric::bytes_per_unit, 42'496) == "41.5 KiB");
  CHECK(short_value(metric::bytes_per_unit, 434) == "434 B");
  CHECK(short_size(100'000) == "100k");
  CHECK(short_size(1'500) == "1500");
  CHECK(short_ratio(9.1) == "9.1x");
  CHECK(short_ratio(821.4) == "821x");
  CHECK(columns("\033[32m±█\033[0m a") == 4);
  CHECK(pad_left("ab", 4) == "  ab");
}
