#include <plait/testing/sim.hpp>

#include "random_numbers.hpp"

#include <chrono>

namespace plait::testing {

using namespace std::chrono_literals;

// Half of the faults are there in any one profile: what is always there hides what happens without it.
sim_options sim_options::gentle_swarm(std::uint64_t seed) {
  sim_options o{.seed = seed};
  io::sim::random_numbers draw(sim_options{.seed = seed ^ 0x5377'6172'6d00'0000});  // "Swarm"
  auto const strength = [&draw](double most) {
    bool const there = draw.chance(0.5);
    double const how = static_cast<double>(1 + draw.below(1000)) / 1000;
    return there ? most * how : 0;
  };
  constexpr sim_order orders[] = {sim_order::random, sim_order::random, sim_order::pct, sim_order::fifo};
  o.order = orders[draw.below(4)];
  o.pct_depth = 1 + static_cast<unsigned>(draw.below(5));
  o.pct_steps = 100u << draw.below(6);
  constexpr duration longest[] = {30us, 300us, 2ms, 20ms, 200ms};
  o.latency_max = longest[draw.below(5)];
  constexpr sim_latency shapes[] = {sim_latency::uniform, sim_latency::exponential, sim_latency::slow_tail};
  o.latency_shape = shapes[draw.below(3)];
  o.window_bytes_max = std::size_t{1} << draw.below(18);
  o.short_transfer = strength(0.9);
  o.interrupted = strength(0.3);
  o.wrong_again = strength(0.3);
  o.many_accepts = draw.chance(0.5) ? 1 : 0;
  o.missing_opcodes = strength(1);
  o.queue_entries = draw.chance(0.5) ? 0 : 1 + static_cast<unsigned>(draw.below(4));
  o.completion_grid = draw.chance(0.5) ? duration::zero() : draw.between(1us, 1ms);
  return o;
}

sim_options sim_options::swarm(std::uint64_t seed) {
  sim_options o = gentle_swarm(seed);
  io::sim::random_numbers draw(sim_options{.seed = seed ^ 0x4661'756c'7473'0000});  // "Faults"
  // Few resets: where windows are small a message takes hundreds of segments.
  if (draw.chance(0.5)) o.reset = static_cast<double>(1 + draw.below(50)) / 10'000;
  if (draw.chance(0.5)) o.exhausted = static_cast<double>(1 + draw.below(200)) / 1000;
  return o;
}

}  // namespace plait::testing
