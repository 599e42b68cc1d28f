// What goes wrong between the hosts of a simulated world, while an object of it is alive:
//
//     {
//       sim_rule const cut = sim_rule::partition(server);   // nothing gets there, nor away from there
//       co_await sleep_for(10s);
//     }                                                     // healed: connections send again what was lost
//
// Each names an address, and concerns what goes towards it, away from it, or both; a port of 0 stands for
// all of the host's. Several at a time add up. To be made and destroyed by a program in a simulated
// world, from a task of its; anywhere else it stops the program. TCP sends again after a partition what
// was lost, a second after its end at the latest; datagrams are gone.
#pragma once

#include <plait/clock.hpp>
#include <plait/io/address.hpp>

#include <cstdint>

namespace plait::io::sim {
class network;
}

namespace plait::testing {

enum class sim_way : std::uint8_t { both, towards, away };
enum class sim_rule_kind : std::uint8_t { partition, clog, slow, reset };

class [[nodiscard("the rule ends with this object")]] sim_rule {
 public:
  // What is sent is lost.
  static sim_rule partition(io::address const& at, sim_way way = sim_way::both);
  // What is sent arrives when the rule has ended, in the order in which it would have arrived.
  static sim_rule clog(io::address const& at, sim_way way = sim_way::both);
  // What is sent takes longer by so much.
  static sim_rule slow(io::address const& at, duration extra, sim_way way = sim_way::both);
  // What is sent on a connection is answered by a reset.
  static sim_rule reset(io::address const& at, sim_way way = sim_way::both);

  sim_rule(sim_rule&& other) noexcept;
  sim_rule& operator=(sim_rule&& other) noexcept;
  ~sim_rule();

  // Before the object is destroyed.
  void end();

 private:
  sim_rule(sim_rule_kind kind, io::address const& at, sim_way way, duration extra = {});

  io::sim::network* net_;
  std::uint64_t id_;
};

}  // namespace plait::testing
