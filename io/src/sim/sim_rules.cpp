#include <plait/testing/sim_rules.hpp>

#include "simulation.hpp"

#include <plait/detail/config.hpp>

#include <utility>

namespace plait::testing {

sim_rule::sim_rule(sim_rule_kind kind, io::address const& at, sim_way way, duration extra) {
  io::sim::simulation* const run = io::sim::simulation::current();
  PLAIT_CHECK(run != nullptr, "a sim_rule was made outside of a simulated program");
  net_ = &run->world.net();
  id_ = net_->add_rule({kind, way, io::sim::socket_address::from(at.data(), at.size()), extra});
}

sim_rule sim_rule::partition(io::address const& at, sim_way way) {
  return {sim_rule_kind::partition, at, way};
}
sim_rule sim_rule::clog(io::address const& at, sim_way way) { return {sim_rule_kind::clog, at, way}; }
sim_rule sim_rule::slow(io::address const& at, duration extra, sim_way way) {
  return {sim_rule_kind::slow, at, way, extra};
}
sim_rule sim_rule::reset(io::address const& at, sim_way way) { return {sim_rule_kind::reset, at, way}; }

sim_rule::sim_rule(sim_rule&& other) noexcept : net_(std::exchange(other.net_, nullptr)), id_(other.id_) {}

sim_rule& sim_rule::operator=(sim_rule&& other) noexcept {
  std::swap(net_, other.net_);
  std::swap(id_, other.id_);
  return *this;
}

sim_rule::~sim_rule() { end(); }

void sim_rule::end() {
  if (net_ != nullptr) std::exchange(net_, nullptr)->remove_rule(id_);
}

}  // namespace plait::testing
