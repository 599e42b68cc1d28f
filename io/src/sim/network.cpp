#include "network.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace plait::io::sim {
namespace {

// Between what was lost and the same once more.
constexpr duration first_patience = std::chrono::milliseconds(200);
constexpr duration last_patience = std::chrono::seconds(1);

}  // namespace

// Whatever the shape, the shortest is latency_min; latency_max is the longest, or what few exceed.
duration network::latency() noexcept {
  duration const low = options_.latency_min;
  duration const high = options_.latency_max;
  switch (options_.latency_shape) {
    case testing::sim_latency::uniform:
      break;
    case testing::sim_latency::exponential: {  // of a hundred, one exceeds the maximum
      double const u = static_cast<double>(random_.below(1u << 16)) / (1u << 16);
      return low + duration(static_cast<duration::rep>(
                       static_cast<double>((high - low).count()) * -std::log1p(-u) / std::log(100.0)));
    }
    case testing::sim_latency::slow_tail:
      return random_.between(low, high) * (random_.chance(0.05) ? 50 : 1);
  }
  return random_.between(low, high) * (random_.chance(0.001) ? 50 : 1);
}

network::fate network::fate_of(socket_address const& from, socket_address const& to) noexcept {
  duration const extra = rules_.extra(from, to);
  fate f{latency() + extra, random_.chance(options_.loss), std::nullopt};
  if (random_.chance(options_.duplicate)) f.again = latency() + extra;
  return f;
}

// References to a deque's elements stay valid while it changes at its ends.
void network::segment(line on, socket_address const& from, socket_address const& to,
                      std::function<void()> arrive) {
  if (ended_) return;
  travelling& sent = lines_[on].emplace_back(travelling{std::move(arrive)});
  carry(on, from, to, sent, fate_of(from, to).after, first_patience);
}

// What a partition has lost is sent again.
void network::carry(line on, socket_address const& from, socket_address const& to, travelling& sent,
                    duration after, duration patience) {
  plan_.after(after, [this, on, from, to, &sent, patience] {
    if (!rules_.empty()) {
      if (rules_.loses(from, to)) {
        return carry(on, from, to, sent, patience, std::min(patience * 2, last_patience));
      }
      if (rules_.hold(from, to, [=, this, &sent] { carry(on, from, to, sent, {}, patience); })) return;
    }
    sent.here = true;
    deliver(on);
  });
}

void network::remove_rule(network_rules::id which) {
  for (auto const& held : rules_.remove(which)) held();
}

void network::deliver(line on) {
  for (auto at = lines_.find(on); at != lines_.end(); at = lines_.find(on)) {
    if (at->second.empty()) {
      lines_.erase(at);
      return;
    }
    if (!at->second.front().here) return;
    std::function<void()> const arrive = std::move(at->second.front().arrive);
    at->second.pop_front();
    arrive();
  }
}

void network::datagram(socket_address const& from, socket_address const& to,
                       std::function<void()> arrive) {
  fate const f = fate_of(from, to);
  if (f.again) plan_datagram(*f.again, from, to, arrive);
  if (!f.lost) plan_datagram(f.after, from, to, std::move(arrive));
}

void network::plan_datagram(duration after, socket_address const& from, socket_address const& to,
                            std::function<void()> arrive) {
  plan_.after(after, [this, from, to, arrive = std::move(arrive)] {
    if (rules_.loses(from, to)) return;
    if (!rules_.hold(from, to, [=, this] { plan_datagram({}, from, to, arrive); })) arrive();
  });
}

void network::end() {
  ended_ = true;
  auto const over = std::move(lines_);
}

}  // namespace plait::io::sim
