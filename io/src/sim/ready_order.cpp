#include "ready_order.hpp"

#include <plait/task_group.hpp>

#include <algorithm>
#include <utility>

namespace plait::io::sim {
namespace {

using plait::detail::resumable;

// Every task is a child: of a group, of the background or of the run itself.
plait::detail::child& task_of(resumable& leaf) noexcept {
  return static_cast<plait::detail::child&>(*static_cast<plait::detail::frame_link&>(leaf).owner);
}

// A task that waits by giving way over and over would keep the one that it waits for from running.
constexpr int in_a_row_max = 64;

}  // namespace

ready_order::ready_order(testing::sim_options const& options, random_numbers& draw)
    : order_(options.order), draw_(draw), lowest_drawn_(options.pct_depth + 1) {
  for (unsigned i = 1; i < options.pct_depth && order_ == testing::sim_order::pct; ++i) {
    changes_.push_back({1 + static_cast<std::uint32_t>(draw_.below(options.pct_steps)), i + 1});
  }
  std::sort(changes_.begin(), changes_.end(), [](change a, change b) {
    return a.step != b.step ? a.step > b.step : a.priority > b.priority;
  });
}

int ready_order::choose(std::span<resumable*> ready) {
  return order_ == testing::sim_order::pct ? choose_by_priority(ready) : choose_randomly(ready);
}

// The beginning of Fisher and Yates's shuffle. Few tasks in a turn: what becomes ready meanwhile may
// overtake the rest.
int ready_order::choose_randomly(std::span<resumable*> ready) {
  std::size_t const count = std::min<std::size_t>(ready.size(), 1 + draw_.below(4));
  for (std::size_t i = 0; i < count; ++i) {
    std::swap(ready[i], ready[i + static_cast<std::size_t>(draw_.below(ready.size() - i))]);
  }
  return static_cast<int>(count);
}

// One task at a time, the one of the highest priority.
int ready_order::choose_by_priority(std::span<resumable*> ready) {
  auto best = ready.begin();
  for (auto at = ready.begin(); at != ready.end(); ++at) {
    std::uint32_t& priority = task_of(**at).priority;
    if (priority == 0) priority = lowest_drawn_ + static_cast<std::uint32_t>(draw_.below(1u << 30));
    if (priority > task_of(**best).priority) best = at;
  }
  std::rotate(ready.begin(), best, best + 1);
  std::uint32_t& priority = task_of(*ready.front()).priority;
  in_a_row_ = std::exchange(last_, priority) == priority && ready.size() > 1 ? in_a_row_ + 1 : 0;
  ++steps_;
  if (in_a_row_ == in_a_row_max) {
    priority = 1;
  } else if (!changes_.empty() && changes_.back().step <= steps_) {
    priority = changes_.back().priority;
    changes_.pop_back();
  }
  return 1;
}

}  // namespace plait::io::sim
