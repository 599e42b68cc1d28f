#include <plait/sync/lock_order.hpp>

#include "report.hpp"

#include <plait/scheduler.hpp>

#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <source_location>
#include <utility>
#include <vector>

namespace plait::detail {
namespace {

std::string text_of(ordered_lock const& lock) {
  std::string text = name_of(lock.kind->name, lock.name);
  if (lock.level.is_given) text += " (level " + std::to_string(lock.level.number) + ")";
  return text;
}

// What is known of the locks of all schedulers. A task is noted with a lock before it takes it, and until
// somebody looks and finds that it does not hold it any more: so unlocking has nothing to do with it. Whoever
// looks at a lock is on its scheduler's thread.
class lock_order_graph {
 public:
  // The first wrong pair that was not told yet.
  struct wrong_pair {
    void const* held;
    void const* wanted;
    std::string report;
  };

  std::optional<wrong_pair> look(ordered_lock const& wanted, task_state& by);
  void was_told(wrong_pair const& pair);
  void note(ordered_lock const& wanted, task_state& by);
  void forget(void const* lock);

 private:
  struct holding {
    ordered_lock lock;
    std::source_location at;
  };
  struct node {
    std::map<void const*, std::string> taken_under;  // and by whom, where
    std::set<void const*> taken_over;
    std::set<task_state const*> tasks;  // that hold it, or did
    std::size_t purge_at = 8;           // as many of them
  };

  std::vector<holding> held_by(task_state const& task, bool may_wait);
  void purge(ordered_lock const& lock, node& of_lock);
  std::string path(void const* from, void const* to) const;

  std::mutex mutex_;
  std::map<std::pair<task_state const*, void const*>, holding> holdings_;
  std::map<void const*, node> nodes_;
  std::set<std::pair<void const*, void const*>> told_;  // held, wanted
};

// Never destroyed: locks that are static go after it.
lock_order_graph& graph() {
  static lock_order_graph& the_graph = *new lock_order_graph;
  return the_graph;
}

// A task that awaits a single lock waits for no other.
std::vector<lock_order_graph::holding> lock_order_graph::held_by(task_state const& task, bool may_wait) {
  std::vector<holding> held;
  for (auto h = holdings_.lower_bound({&task, nullptr}); h != holdings_.end() && h->first.first == &task;) {
    ordered_lock const& lock = h->second.lock;
    if (lock.kind->is_held(lock.lock, &task)) {
      held.push_back((h++)->second);
    } else if (may_wait) {
      ++h;
    } else {
      nodes_[lock.lock].tasks.erase(&task);
      h = holdings_.erase(h);
    }
  }
  return held;
}

// The shortest way from lock to lock, each taken while the one before was held. Empty where there is none.
std::string lock_order_graph::path(void const* from, void const* to) const {
  struct step {
    void const* before;
    std::string const* how;
  };
  std::map<void const*, step> seen{{from, {nullptr, nullptr}}};
  std::deque<void const*> next{from};
  for (; !next.empty() && !seen.contains(to); next.pop_front()) {
    auto const at = nodes_.find(next.front());
    if (at == nodes_.end()) continue;
    for (auto const& [lock, how] : at->second.taken_under) {
      if (seen.try_emplace(lock, step{next.front(), &how}).second) next.push_back(lock);
    }
  }
  std::string text;
  if (!seen.contains(to)) return text;
  for (void const* at = to; at != from; at = seen.at(at).before) text = "\n  " + *seen.at(at).how + text;
  return text;
}

std::optional<lock_order_graph::wrong_pair> lock_order_graph::look(ordered_lock const& wanted,
                                                                   task_state& by) {
  std::lock_guard const guard(mutex_);
  task_state const& task = real_task(by);
  for (holding const& held : held_by(task, by.leaf == nullptr)) {
    void const* const lock = held.lock.lock;
    bool const is_higher = !held.lock.level.is_given || !wanted.level.is_given ||
                           wanted.level.number > held.lock.level.number;
    if (lock == wanted.lock || told_.contains({lock, wanted.lock})) continue;
    if (is_higher && nodes_[lock].taken_under.contains(wanted.lock)) continue;
    std::string const taken = text_of(wanted) + " at " + place(task.leaf->await_at);
    std::string const since = text_of(held.lock) + " since " + place(held.at);
    std::string const takes =
        "lock order: " + name_of(task) + " takes " + taken + "\n  while it holds " + since;
    if (!is_higher) return wrong_pair{lock, wanted.lock, takes + "\n  levels have to rise"};
    if (std::string const other_way = path(wanted.lock, lock); !other_way.empty()) {
      return wrong_pair{lock, wanted.lock, takes + "\n  which may come to a deadlock, for" + other_way};
    }
    nodes_[lock].taken_under[wanted.lock] =
        name_of(task) + " took " + taken + "\n    while it held " + since;
    nodes_[wanted.lock].taken_over.insert(lock);
  }
  return std::nullopt;
}

void lock_order_graph::was_told(wrong_pair const& pair) {
  std::lock_guard const guard(mutex_);
  told_.emplace(pair.held, pair.wanted);
}

void lock_order_graph::note(ordered_lock const& wanted, task_state& by) {
  std::lock_guard const guard(mutex_);
  task_state const& task = real_task(by);
  node& of_lock = nodes_[wanted.lock];
  if (of_lock.tasks.size() >= of_lock.purge_at) purge(wanted, of_lock);
  of_lock.tasks.insert(&task);
  holdings_.insert_or_assign({&task, wanted.lock}, holding{wanted, task.leaf->await_at});
}

// Of those that have ended, nobody else would ask.
void lock_order_graph::purge(ordered_lock const& lock, node& of_lock) {
  std::erase_if(of_lock.tasks, [&](task_state const* task) {
    if (lock.kind->is_held(lock.lock, task) || lock.kind->is_awaited(lock.lock, task)) return false;
    holdings_.erase({task, lock.lock});
    return true;
  });
  of_lock.purge_at = 8 + 2 * of_lock.tasks.size();
}

void lock_order_graph::forget(void const* lock) {
  std::lock_guard const guard(mutex_);
  auto const at = nodes_.find(lock);
  if (at == nodes_.end()) return;
  for (task_state const* const task : at->second.tasks) holdings_.erase({task, lock});
  for (auto const& [other, how] : at->second.taken_under) nodes_.at(other).taken_over.erase(lock);
  for (void const* const other : at->second.taken_over) nodes_.at(other).taken_under.erase(lock);
  nodes_.erase(at);
  std::erase_if(told_, [lock](auto const& pair) { return pair.first == lock || pair.second == lock; });
}

// Whoever looks for mistakes sees less of them without memory, and the program goes on.
template <class Fn>
void where_memory_allows(Fn fn) noexcept {
  try {
    fn();
  } catch (std::bad_alloc const&) {
    return;
  }
}

std::atomic<bool>& checked_by_new_schedulers() noexcept {
  static std::atomic<bool> on = [] {
    char const* const asked_for = std::getenv("PLAIT_LOCK_ORDER");
    return asked_for != nullptr && std::string_view(asked_for) == "1";
  }();
  return on;
}

void tell(std::string const& report, wrong_order then) {
  scheduler& s = scheduler::current();
  if (then == wrong_order::may_throw) return s.on_lock_order(report);
  try {
    s.on_lock_order(report);
  } catch (...) {
    s.on_unhandled(std::current_exception());
  }
}

}  // namespace

void look_at_order(ordered_lock const& wanted, task_state& by, wrong_order then) {
  lock_order_in_use.store(true, std::memory_order_relaxed);
  for (;;) {
    std::optional<lock_order_graph::wrong_pair> wrong;
    where_memory_allows([&] { wrong = graph().look(wanted, by); });
    if (!wrong) return;
    tell(wrong->report, then);
    where_memory_allows([&] { graph().was_told(*wrong); });
  }
}

void note_holding(ordered_lock const& wanted, task_state& by) noexcept {
  where_memory_allows([&] { graph().note(wanted, by); });
}

void check_order(ordered_lock const& wanted, task_state& by) {
  look_at_order(wanted, by, wrong_order::may_throw);
  note_holding(wanted, by);
}

void forget_lock(void const* lock) noexcept { graph().forget(lock); }

bool new_schedulers_check_lock_order() noexcept {
  return checked_by_new_schedulers().load(std::memory_order_relaxed);
}

}  // namespace plait::detail

namespace plait {

// Relaxed: a scheduler that is made meanwhile may be checked, or not.
void check_lock_order(bool on) noexcept {
  detail::checked_by_new_schedulers().store(on, std::memory_order_relaxed);
  if (scheduler* const s = scheduler::current_or_null()) s->lock_order_checks = on ? 1 : 0;
}

void throw_lock_order_error(std::string const& report) { throw lock_order_error(report); }

}  // namespace plait
