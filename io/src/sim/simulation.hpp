// What the programs of one simulated run have in common: the decisions, the agenda with its clock, the
// world, and a hash over all that happens. Each program has a sim_driver and a scheduler of its own.
#pragma once

#include "agenda.hpp"
#include "random_numbers.hpp"
#include "sim_world.hpp"

#include <plait/testing/sim.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace plait::io::sim {

// A step of a program takes time, so that a loop that waits for a time to pass sees it pass.
inline constexpr duration step_min = std::chrono::nanoseconds(50);
inline constexpr duration step_max = std::chrono::nanoseconds(100);

class process;
class sim_driver;

class simulation {
 public:
  explicit simulation(testing::sim_options const& given);
  ~simulation();
  simulation(simulation const&) = delete;
  simulation& operator=(simulation const&) = delete;

  // That of the program that runs on this thread; nullptr where it is not simulated.
  static simulation* current() noexcept;

  // The drivers over this world, in the order in which they came.
  void add(sim_driver& d) { drivers_.push_back(&d); }
  void remove(sim_driver& d) noexcept { std::erase(drivers_, &d); }
  // A process begins; it stays until the simulation ends, since the agenda may know it.
  std::shared_ptr<process> add_process();
  // Which operations wait, of all programs.
  std::string waiting() const;
  // What is left when all that is under way has arrived.
  testing::sim_ledger ledger();

  testing::sim_options const options;
  random_numbers random;
  agenda plan;
  sim::world world;
  trace_hash trace;
  time_point const begin;

  // Called once when nothing can happen any more or a limit is reached; it cancels what waits.
  std::function<void(std::string const& why)> on_stuck;

 private:
  void changed(int fd);

  std::vector<sim_driver*> drivers_;
  std::vector<std::shared_ptr<process>> processes_;
};

// The driver of a program that has a world for itself alone.
std::unique_ptr<driver> make_sim_driver(testing::sim_options const& options);

}  // namespace plait::io::sim
