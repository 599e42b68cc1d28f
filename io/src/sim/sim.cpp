#include <plait/testing/sim.hpp>

#include "sim_driver.hpp"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

namespace plait::testing {

struct sim_run::parts {
  explicit parts(sim_options const& options)
      : seed(options.seed), world(options), driver(world), sched(driver) {}

  std::uint64_t seed;
  io::sim::simulation world;
  io::sim::sim_driver driver;
  scheduler sched;
  std::string stuck;
  std::function<void(std::string const&)> on_deadlock;  // the scheduler's own, during a watch
};

sim_run::sim_run(sim_options options) : parts_(std::make_unique<parts>(options)) {}

sim_run::~sim_run() = default;

scheduler& sim_run::sched() noexcept { return parts_->sched; }
std::uint64_t sim_run::trace() const noexcept { return parts_->world.trace.value(); }
duration sim_run::elapsed() const noexcept { return parts_->world.plan.now() - parts_->world.begin; }
std::size_t sim_run::open_descriptors() const noexcept { return parts_->world.world.open_descriptors(); }

void sim_run::lose_power() { parts_->world.world.files().lose_power(); }
sim_ledger sim_run::ledger() { return parts_->world.ledger(); }

sim_run::watch::watch(sim_run& run, cancel_scope& scope) : run_(run) {
  parts& p = *run.parts_;
  p.world.world.files().restore_power();
  auto const end = [&p, &scope](std::string const& why) {
    p.stuck = why + " (seed " + std::to_string(p.seed) + ")";
    scope.cancel("the simulated program is stuck");
  };
  p.world.on_stuck = end;
  p.on_deadlock = std::exchange(p.sched.on_deadlock, end);
}

sim_run::watch::~watch() {
  run_.parts_->world.on_stuck = nullptr;
  run_.parts_->sched.on_deadlock = std::move(run_.parts_->on_deadlock);
}

void sim_run::throw_if_stuck() const {
  if (!parts_->stuck.empty()) throw sim_stuck(parts_->stuck);
}

namespace {

template <class Profile>
void run_seeds(std::uint64_t first, std::uint64_t count, std::function<task<>()> const& fn,
               Profile profile) {
  if (char const* const only = std::getenv("PLAIT_SEED")) {
    first = std::strtoull(only, nullptr, 0);
    count = 1;
  }
  for (std::uint64_t seed = first; seed != first + count; ++seed) {
    try {
      run_sim(fn, profile(seed));
    } catch (...) {
      std::fprintf(stderr, "failed with seed %llu; PLAIT_SEED=%llu repeats it alone\n",
                   static_cast<unsigned long long>(seed), static_cast<unsigned long long>(seed));
      throw;
    }
  }
}

}  // namespace

void for_each_seed(std::uint64_t count, std::function<task<>()> const& fn, sim_options options) {
  auto const with = [&options](std::uint64_t seed) {
    options.seed = seed;
    return options;
  };
  run_seeds(options.seed, count, fn, with);
}

void for_each_seed(std::uint64_t count, std::function<task<>()> const& fn,
                   sim_options (*profile)(std::uint64_t seed)) {
  run_seeds(1, count, fn, profile);
}

}  // namespace plait::testing
