#include "network_rules.hpp"

#include <algorithm>

namespace plait::io::sim {
namespace {

using testing::sim_rule_kind;
using testing::sim_way;

bool is_of(socket_address const& one, socket_address const& rule) noexcept {
  if (one.family() != rule.family() || (one.family() != AF_INET && one.family() != AF_INET6)) return false;
  return one.same_host(rule) && (rule.port() == 0 || rule.port() == one.port());
}

bool concerns(network_rules::rule const& r, socket_address const& from, socket_address const& to) noexcept {
  return (r.way != sim_way::away && is_of(to, r.at)) || (r.way != sim_way::towards && is_of(from, r.at));
}

}  // namespace

std::vector<std::function<void()>> network_rules::remove(id which) {
  auto const gone = rules_.extract(which);
  return gone.empty() ? std::vector<std::function<void()>>() : std::move(gone.mapped().held);
}

bool network_rules::has(sim_rule_kind kind, socket_address const& from,
                        socket_address const& to) const noexcept {
  return std::any_of(rules_.begin(), rules_.end(), [&](auto const& entry) {
    return entry.second.kind == kind && concerns(entry.second, from, to);
  });
}

bool network_rules::loses(socket_address const& from, socket_address const& to) const noexcept {
  return has(sim_rule_kind::partition, from, to);
}

bool network_rules::breaks(socket_address const& from, socket_address const& to) const noexcept {
  return has(sim_rule_kind::reset, from, to);
}

duration network_rules::extra(socket_address const& from, socket_address const& to) const noexcept {
  duration all{};
  for (auto const& [number, r] : rules_) {
    if (r.kind == sim_rule_kind::slow && concerns(r, from, to)) all += r.extra;
  }
  return all;
}

bool network_rules::hold(socket_address const& from, socket_address const& to,
                         std::function<void()> const& arrive) {
  for (auto& [number, r] : rules_) {
    if (r.kind != sim_rule_kind::clog || !concerns(r, from, to)) continue;
    r.held.push_back(arrive);
    return true;
  }
  return false;
}

}  // namespace plait::io::sim
