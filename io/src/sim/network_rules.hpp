// What a test has laid between hosts of the simulated world: partitions, clogs, slow and breaking links.
#pragma once

#include "sim_socket.hpp"

#include <plait/clock.hpp>
#include <plait/testing/sim_rules.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

namespace plait::io::sim {

class network_rules {
 public:
  using id = std::uint64_t;

  struct rule {
    testing::sim_rule_kind kind;
    testing::sim_way way;
    socket_address at;
    duration extra{};
    std::vector<std::function<void()>> held{};  // a clog's
  };

  id add(rule r) {
    rules_.emplace(++last_, std::move(r));
    return last_;
  }
  // Gives what the rule held back.
  std::vector<std::function<void()>> remove(id which);

  bool empty() const noexcept { return rules_.empty(); }
  bool loses(socket_address const& from, socket_address const& to) const noexcept;
  bool breaks(socket_address const& from, socket_address const& to) const noexcept;
  duration extra(socket_address const& from, socket_address const& to) const noexcept;
  // Keeps what arrives until a clog between the two is gone; false where there is none.
  bool hold(socket_address const& from, socket_address const& to, std::function<void()> const& arrive);

 private:
  bool has(testing::sim_rule_kind kind, socket_address const& from, socket_address const& to) const noexcept;

  std::map<id, rule> rules_;
  id last_ = 0;
};

}  // namespace plait::io::sim
