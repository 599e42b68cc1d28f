// What carries segments and datagrams between two addresses of the simulated world.
#pragma once

#include "agenda.hpp"
#include "network_rules.hpp"
#include "sim_socket.hpp"

#include <plait/testing/sim.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>

namespace plait::io::sim {

class network {
 public:
  // One direction of a connection.
  using line = std::uint64_t;

  network(testing::sim_options const& options, random_numbers& random, agenda& plan) noexcept
      : options_(options), random_(random), plan_(plan) {}

  line open_line() noexcept { return ++last_line_; }

  // `arrive` happens once, and after what was sent on this line before.
  void segment(line on, socket_address const& from, socket_address const& to,
               std::function<void()> arrive);
  // The order is nobody's.
  void datagram(socket_address const& from, socket_address const& to, std::function<void()> arrive);

  std::size_t under_way() const noexcept { return lines_.size(); }

  // What tests lay between two hosts.
  network_rules::id add_rule(network_rules::rule r) { return rules_.add(std::move(r)); }
  void remove_rule(network_rules::id which);
  bool breaks(socket_address const& from, socket_address const& to) const noexcept {
    return rules_.breaks(from, to);
  }

  // Forgets everything, and carries nothing any more.
  void end();

 private:
  // What becomes of one segment or datagram.
  struct fate {
    duration after;                 // it arrives then
    bool lost;                      // or never: datagrams only
    std::optional<duration> again;  // and once more: datagrams only
  };
  struct travelling {
    std::function<void()> arrive;
    bool here = false;
  };

  // Decides for every segment and datagram, and is the one place that does: rules about two hosts
  // (their latency, what is dropped, comes twice, or is held until a partition heals) belong here.
  fate fate_of(socket_address const& from, socket_address const& to) noexcept;
  duration latency() noexcept;
  void carry(line on, socket_address const& from, socket_address const& to, travelling& sent,
             duration after, duration patience);
  void plan_datagram(duration after, socket_address const& from, socket_address const& to,
                     std::function<void()> arrive);
  void deliver(line on);

  testing::sim_options const& options_;
  random_numbers& random_;
  agenda& plan_;
  network_rules rules_;
  line last_line_ = 0;
  bool ended_ = false;
  std::map<line, std::deque<travelling>> lines_;  // what is under way; what came too early waits
};

}  // namespace plait::io::sim
