#include <catch2/catch.hpp>

#include "cli/cli.hpp"

using namespace plait::lab;
using Catch::Matchers::Contains;

TEST_CASE("options: counts and durations are read with their suffixes") {
  CHECK(parse_count("10") == 10);
  CHECK(parse_count("100k") == 100'000);
  CHECK(parse_count("1.5k") == 1'500);
  CHECK(parse_count("2M") == 2'000'000);
  CHECK(parse_duration("250ms") == Approx(0.25));
  CHECK(parse_duration("2s") == 2);
  CHECK(parse_duration("1.5") == 1.5);
  CHECK(parse_duration("2m") == 120);
}

TEST_CASE("options: what is no count or duration is refused with an example") {
  for (char const* text : {"", "k", "-1", "0", "1.5", "10q", "1e99", "nan", "inf"})
    CHECK_THROWS_AS(parse_count(text), usage_error);
  for (char const* text : {"", "ms", "-1s", "10 parsecs", "inf"})
    CHECK_THROWS_AS(parse_duration(text), usage_error);
  CHECK_THROWS_WITH(parse_count("many"), Contains("10k"));
  CHECK_THROWS_WITH(parse_duration("soon"), Contains("250ms"));
}

TEST_CASE("options: lists are split at commas, and empty parts refused") {
  CHECK(split_list("a,b") == std::vector<std::string>{"a", "b"});
  for (char const* text : {",a", "a,", "a,,b"}) CHECK_THROWS_AS(split_list(text), usage_error);
}

TEST_CASE("options: no argument at all is the tour") {
  bench_options const o = parse_bench({});
  CHECK(o.preset == preset::quick);
  CHECK(o.window() == 0.25);
  CHECK(o.reps() == 7);
  CHECK(parse_bench({"--json", "x"}).preset == preset::quick);
}

TEST_CASE("options: a choice of workloads takes its time, unless told otherwise") {
  bench_options const o = parse_bench({"io.echo", "-N", "1,1k", "-m", "coro,thread", "-w", "1,2"});
  CHECK(o.preset == preset::normal);
  CHECK(o.selection == std::vector<std::string>{"io.echo"});
  CHECK(o.sizes == std::vector<long>{1, 1000});
  CHECK(o.models == std::vector<std::string>{"coro", "thread"});
  CHECK(o.workers == std::vector<int>{1, 2});
  CHECK(o.reps() == 10);
  bench_options const p = parse_bench({"io.echo", "--quick", "-d", "100ms", "-r", "3"});
  CHECK(p.window() == Approx(0.1));
  CHECK(p.warmup() == Approx(0.05));
  CHECK(p.reps() == 3);
}

TEST_CASE("options: mistakes are usage errors") {
  std::vector<std::vector<std::string>> const mistakes{
      {"--nonsense"},   {"-r", "0"},        {"-r", "many"}, {"--quick", "--full"},
      {"-d", "0ms"},    {"-d", "1000000s"}, {"-N", "0"},    {"-w", "1,"},
      {"--seed", "-4"}, {"--json"},         {"-w", "99999"}};
  for (auto const& arguments : mistakes) CHECK_THROWS_AS(parse_bench(arguments), usage_error);
}

TEST_CASE("options: the command that repeats a run has its seed once") {
  CHECK(repeat_command({"io", "--seed", "3", "-r", "5"}, 9) ==
        std::vector<std::string>{"plait", "bench", "io", "-r", "5", "--seed", "9"});
  CHECK(repeat_command({"--seed=3"}, 9) ==
        std::vector<std::string>{"plait", "bench", "--seed", "9"});
}
