// Runs programs in simulated worlds, seed after seed, on both processors:
//
//     plait_seeds [--seeds N] [--first N] [--program NAME] [--twice-each N]
//
// Seed n runs program n modulo their number, in the world that the seed draws. The first 500 seeds
// and one in ten of the others (--twice-each) run twice, and must leave the same trace. What fails
// is named with the command that repeats it.
#include "programs.hpp"

#include <plait/io/error.hpp>
#include <plait/testing/sim.hpp>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using plait::seeds::program;

struct options {
  std::uint64_t seeds = 1000;
  std::uint64_t first = 1;
  std::uint64_t twice_each = 10;
  std::string only;
};

struct counts {
  std::atomic<std::uint64_t> runs{0};
  std::atomic<std::uint64_t> repeated{0};
  std::atomic<std::uint64_t> failed{0};
};

constexpr std::uint64_t smoke_seeds = 500;

std::uint64_t run_once(program const& p, std::uint64_t seed) {
  plait::testing::sim_run world(plait::testing::sim_options::swarm(seed));
  try {
    world.run(p.body);
  } catch (plait::io::io_error const&) {  // the world had no socket left, for one
  }
  if (world.open_descriptors() != 0) throw std::runtime_error("descriptors are left open");
  return world.trace();
}

void run_seed(program const& p, std::uint64_t seed, options const& o, counts& c) {
  try {
    std::uint64_t const trace = run_once(p, seed);
    ++c.runs;
    if (seed > smoke_seeds && seed % o.twice_each != 0) return;
    if (run_once(p, seed) != trace) throw std::runtime_error("a second run took another way");
    ++c.repeated;
  } catch (std::exception const& e) {
    ++c.failed;
    std::fprintf(stderr,
                 "%s fails: %s\n  to repeat: plait_seeds --program %s --first %llu --seeds 1\n",
                 p.name, e.what(), p.name, static_cast<unsigned long long>(seed));
  }
}

program const* choose(options const& o, std::uint64_t seed) {
  auto const all = plait::seeds::programs();
  if (o.only.empty()) return &all[seed % all.size()];
  for (program const& p : all) {
    if (o.only == p.name) return &p;
  }
  return nullptr;
}

[[noreturn]] void usage() {
  std::fputs(
      "usage: plait_seeds [--seeds N] [--first N] [--twice-each N] [--program NAME]\nprograms:",
      stderr);
  for (program const& p : plait::seeds::programs()) std::fprintf(stderr, " %s", p.name);
  std::fputc('\n', stderr);
  std::exit(2);
}

std::uint64_t number(char const* text) {
  char* end = nullptr;
  std::uint64_t const n = std::strtoull(text, &end, 0);
  if (end == text || *end != '\0' || n == 0) usage();
  return n;
}

options parse(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; i += 2) {
    std::string_view const name = argv[i];
    if (i + 1 == argc) usage();
    if (name == "--seeds") {
      o.seeds = number(argv[i + 1]);
    } else if (name == "--first") {
      o.first = number(argv[i + 1]);
    } else if (name == "--twice-each") {
      o.twice_each = number(argv[i + 1]);
    } else if (name == "--program") {
      o.only = argv[i + 1];
    } else {
      usage();
    }
  }
  if (choose(o, o.first) == nullptr) usage();
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  options const o = parse(argc, argv);
  counts c;
  std::atomic<std::uint64_t> next{o.first};
  std::vector<std::thread> workers(2);
  for (std::thread& w : workers) {
    w = std::thread([&] {
      for (std::uint64_t seed; (seed = next++) < o.first + o.seeds;)
        run_seed(*choose(o, seed), seed, o, c);
    });
  }
  for (std::thread& w : workers) w.join();
  std::printf("seeds: %llu runs, %llu failed, %llu run twice with the same trace\n",
              static_cast<unsigned long long>(c.runs), static_cast<unsigned long long>(c.failed),
              static_cast<unsigned long long>(c.repeated));
  return c.failed == 0 ? 0 : 1;
}
