// Which of the ready tasks of a simulated program run next, and in which order.
#pragma once

#include "random_numbers.hpp"

#include <plait/detail/task_state.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace plait::io::sim {

class ready_order {
 public:
  ready_order(testing::sim_options const& options, random_numbers& draw);

  bool changes_anything() const noexcept { return order_ != testing::sim_order::fifo; }

  // Puts those first that are to run now, and returns how many they are. `ready` is not empty.
  int choose(std::span<plait::detail::resumable*> ready);

 private:
  int choose_randomly(std::span<plait::detail::resumable*> ready);
  int choose_by_priority(std::span<plait::detail::resumable*> ready);

  testing::sim_order order_;
  random_numbers& draw_;

  // Of pct (Burckhardt et al., "A randomized scheduler with probabilistic guarantees of finding bugs",
  // ASPLOS 2010). A task that is seen first draws its priority, from here up; change points give lower ones.
  std::uint32_t lowest_drawn_;
  struct change {
    std::uint32_t step;
    std::uint32_t priority;
  };
  std::uint32_t steps_ = 0;
  std::vector<change> changes_;  // the last one first
  std::uint32_t last_ = 0;       // the priority of the task that ran
  int in_a_row_ = 0;
};

}  // namespace plait::io::sim
