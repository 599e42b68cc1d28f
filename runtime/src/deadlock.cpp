#include <plait/deadlock.hpp>

#include "deadlocks.hpp"
#include "live_tasks.hpp"
#include "report.hpp"

#include <plait/cancel.hpp>
#include <plait/sleep.hpp>

#include <algorithm>
#include <new>
#include <set>
#include <unordered_map>
#include <utility>

namespace plait {
namespace detail {
namespace {

constexpr std::size_t none = static_cast<std::size_t>(-1);

// One of the things that would let a task go on: all of these tasks have to go on first.
struct way_out {
  std::size_t node;
  void const* object;
  std::vector<std::size_t> needs;
  std::size_t missing = 0;  // how many of them are stuck
  bool unknown = false;     // somebody, we know not who
};

struct task_node {
  task_state* task = nullptr;
  bool stuck = true;
  std::vector<std::size_t> ways;       // out
  std::vector<std::size_t> needed_by;  // ways
};

// The wait-for graph. Pointers to tasks are compared with those that live, and never followed: a guard may
// have gone to another task, and its first one ended.
class wait_graph {
 public:
  enum class unknown_holder { may_act, is_stuck };

  explicit wait_graph(scheduler& s, unknown_holder who, task_state const* except) : who_(who) {
    for (live_tasks walk(s); walk.next();) {
      if (&walk.task() == except) continue;
      index_.emplace(&walk.task(), nodes_.size());
      children_[&walk.group()].push_back(nodes_.size());
      nodes_.emplace_back().task = &walk.task();
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) add_ways(i);
    free_who_can_go_on();
  }

  std::vector<deadlock> cycles() const;
  // Those that are stuck and wait for no cycle.
  std::vector<stuck_task> others(std::vector<deadlock> const& but) const;

 private:
  void add_ways(std::size_t at);
  way_out& way_by(std::size_t at, void const* object);
  void need(way_out& way, task_state const* holder);
  void free_who_can_go_on();
  std::size_t next_in_line(std::size_t at) const;
  stuck_task describe(std::size_t at) const;

  unknown_holder who_;
  std::vector<task_node> nodes_;
  std::vector<way_out> ways_;
  std::vector<std::size_t> free_;  // can go on, and those that need them are not told yet
  std::unordered_map<void const*, std::size_t> index_;
  std::unordered_map<void const*, std::vector<std::size_t>> children_;
};

// Several holders of one object all have to act; of several objects one is enough.
way_out& wait_graph::way_by(std::size_t at, void const* object) {
  for (std::size_t const w : nodes_[at].ways) {
    if (object != nullptr && ways_[w].object == object) return ways_[w];
  }
  nodes_[at].ways.push_back(ways_.size());
  return ways_.emplace_back(way_out{.node = at, .object = object, .needs = {}});
}

void wait_graph::need(way_out& way, task_state const* holder) {
  auto const found = index_.find(holder);
  if (found == index_.end()) {
    way.unknown = true;
  } else {
    way.needs.push_back(found->second);
  }
}

void wait_graph::add_ways(std::size_t at) {
  cancellable const* const blocked = nodes_[at].task->blocked;
  bool can_go_on = blocked == nullptr;
  wait_info info;
  for (std::size_t n = 0; !can_go_on && blocked->waits_for(n, info); ++n) {
    can_go_on = info.from_outside;
    way_out& way = way_by(at, info.object);
    auto const children = children_.find(info.object);
    if (children == children_.end()) {
      need(way, info.holder);
    } else {
      for (std::size_t const c : children->second) way.needs.push_back(c);
    }
  }
  if (!can_go_on) return;
  nodes_[at].stuck = false;
  free_.push_back(at);
}

void wait_graph::free_who_can_go_on() {
  auto const leave = [&](way_out const& way) {
    if (way.missing != 0 || (way.unknown && who_ == unknown_holder::is_stuck)) return;
    if (std::exchange(nodes_[way.node].stuck, false)) free_.push_back(way.node);
  };
  for (std::size_t w = 0; w < ways_.size(); ++w) {
    way_out& way = ways_[w];
    way.missing = way.needs.size();
    for (std::size_t const n : way.needs) nodes_[n].needed_by.push_back(w);
    leave(way);
  }
  while (!free_.empty()) {
    std::size_t const at = free_.back();
    free_.pop_back();
    for (std::size_t const w : nodes_[at].needed_by) {
      --ways_[w].missing;
      leave(ways_[w]);
    }
  }
}

// A stuck task that it waits for.
std::size_t wait_graph::next_in_line(std::size_t at) const {
  for (std::size_t const w : nodes_[at].ways) {
    for (std::size_t const n : ways_[w].needs) {
      if (nodes_[n].stuck) return n;
    }
  }
  return none;
}

stuck_task wait_graph::describe(std::size_t at) const {
  task_state const& task = *nodes_[at].task;
  stuck_task described{
      .task = &task, .name = name_of(task), .waits_at = task.leaf->await_at, .waits = {}};
  wait_info info;
  for (std::size_t n = 0; task.blocked->waits_for(n, info); ++n) {
    auto const holder = index_.find(info.holder);
    bool const known = holder != index_.end();
    if (known && info.object == info.holder) {
      described.waits.push_back({.what = "the end of " + name_of(*info.holder), .holder = ""});
      continue;
    }
    if (children_.contains(info.object)) {
      described.waits.push_back({.what = "the end of its children", .holder = ""});
      continue;
    }
    described.waits.push_back({.what = name_of(info.what, info.name),
                               .holder = known ? name_of(*nodes_[holder->second].task) : "",
                               .held_at = known ? info.held_at : std::source_location()});
  }
  return described;
}

// From each stuck task along those that it waits for: each walk ends in a cycle, new or known, or nowhere.
std::vector<deadlock> wait_graph::cycles() const {
  std::vector<deadlock> found;
  std::vector<std::size_t> walked_in(nodes_.size(), none);  // the walk that came by first
  std::vector<std::size_t> cycle_of(nodes_.size(), none);
  for (std::size_t begin = 0; begin < nodes_.size(); ++begin) {
    if (!nodes_[begin].stuck || walked_in[begin] != none) continue;
    std::vector<std::size_t> way;
    std::size_t at = begin;
    for (; at != none && walked_in[at] == none; at = next_in_line(at)) {
      walked_in[at] = begin;
      way.push_back(at);
    }
    if (at == none) continue;
    auto behind_until = way.end();
    if (walked_in[at] == begin) {
      behind_until = std::find(way.begin(), way.end(), at);
      deadlock& d = found.emplace_back();
      for (auto c = behind_until; c != way.end(); ++c) {
        d.cycle.push_back(describe(*c));
        cycle_of[*c] = found.size() - 1;
      }
    }
    std::size_t const which = cycle_of[at];
    if (which == none) continue;
    for (auto b = way.begin(); b != behind_until; ++b) {
      cycle_of[*b] = which;
      found[which].behind.push_back(describe(*b));
    }
  }
  return found;
}

std::vector<stuck_task> wait_graph::others(std::vector<deadlock> const& but) const {
  std::set<void const*> told;
  for (deadlock const& d : but) {
    for (stuck_task const& t : d.cycle) told.insert(t.task);
    for (stuck_task const& t : d.behind) told.insert(t.task);
  }
  std::vector<stuck_task> left;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].stuck && !told.contains(nodes_[i].task)) left.push_back(describe(i));
  }
  return left;
}

void tell(std::string& text, stuck_task const& t) {
  text += "\n  " + t.name + " waits at " + place(t.waits_at) + " for";
  char const* before = " ";
  for (stuck_task::wait const& w : t.waits) {
    text += before + w.what;
    if (!w.holder.empty()) text += ", held by " + w.holder;
    if (w.held_at.line() != 0) text += " since " + place(w.held_at);
    before = "\n    or, or also, for ";
  }
}

std::string report_of_all(scheduler& s, task_state const* except) {
  wait_graph const graph(s, wait_graph::unknown_holder::is_stuck, except);
  std::vector<deadlock> const found = graph.cycles();
  std::vector<stuck_task> const others = graph.others(found);
  std::string text;
  for (deadlock const& d : found) text += (text.empty() ? "" : "\n") + d.report();
  if (others.empty()) return text;
  text += text.empty() ? "deadlock: no task can run, and nothing can arrive" : "\nand nobody can wake";
  for (stuck_task const& t : others) tell(text, t);
  return text;
}

// Whether each task waits, and each for nothing but other tasks.
bool all_are_stuck(scheduler& s, task_state const* except) noexcept {
  bool any = false;
  for (live_tasks walk(s); walk.next();) {
    if (&walk.task() == except) continue;
    if (walk.task().blocked == nullptr) return false;
    wait_info info;
    for (std::size_t n = 0; walk.task().blocked->waits_for(n, info); ++n) {
      if (info.from_outside) return false;
    }
    any = true;
  }
  return any;
}

}  // namespace

bool end_deadlock(scheduler& s, task_state const* except) noexcept {
  if (!all_are_stuck(s, except)) return false;
  try {
    s.on_deadlock(report_of_all(s, except));
  } catch (std::bad_alloc const&) {
    s.on_deadlock("deadlock: no task can run, and nothing can arrive");
  }
  for (live_tasks walk(s); walk.next();) {
    if (&walk.task() != except && walk.task().blocked != nullptr) walk.task().blocked->refuse_deadlock();
  }
  return true;
}

}  // namespace detail

std::string deadlock::report() const {
  std::string text = cycle.size() == 1
                         ? std::string("deadlock: a task waits for itself")
                         : "deadlock: " + std::to_string(cycle.size()) + " tasks wait for each other";
  for (stuck_task const& t : cycle) detail::tell(text, t);
  if (!behind.empty()) text += "\n and behind them";
  for (stuck_task const& t : behind) detail::tell(text, t);
  return text;
}

std::vector<deadlock> find_deadlocks(scheduler& s) {
  using detail::wait_graph;
  return wait_graph(s, wait_graph::unknown_holder::may_act, nullptr).cycles();
}

task<> watch_for_deadlocks(duration period) {
  detail::task_state& self = co_await detail::this_task_state();
  scheduler& s = scheduler::current();
  std::set<std::set<void const*>> reported;
  for (;;) {
    co_await sleep_for(period);
    bool const alone = s.timers().armed() == 0 && s.io().requests() == 0 && s.expected_posts == 0 &&
                       !s.others_send_tasks;
    if (alone && detail::end_deadlock(s, &self)) continue;
    std::set<std::set<void const*>> now;
    for (deadlock const& d : find_deadlocks(s)) {
      std::set<void const*> tasks;
      for (stuck_task const& t : d.cycle) tasks.insert(t.task);
      if (!reported.contains(tasks)) s.on_deadlock(d.report());
      now.insert(std::move(tasks));
    }
    reported = std::move(now);
  }
}

}  // namespace plait
