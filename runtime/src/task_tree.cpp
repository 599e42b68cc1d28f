#include <plait/task_tree.hpp>

#include "live_tasks.hpp"
#include "report.hpp"

#include <plait/cancel.hpp>

#include <string_view>
#include <unordered_map>

namespace plait {
namespace {

using detail::frame_link;
using detail::resumable;
using detail::task_state;

// Of several things that a task waits for, as many as one line can name.
constexpr std::size_t waits_max = 8;

await_point point_of(frame_link const& frame) {
  if (frame.await_at.line() == 0) return {};
  return {function_name(frame.await_at.function_name()), frame.await_at.file_name(), frame.await_at.line()};
}

bool is_own(await_point const& p) { return p.function.starts_with("plait::detail::"); }

std::vector<await_point> chain_from(frame_link const& leaf) {
  std::vector<await_point> all;
  // The end of a chain is the root of the task, which has no parent.
  for (resumable const* at = &leaf; at != nullptr && at->parent != nullptr; at = at->parent) {
    await_point const p = point_of(static_cast<frame_link const&>(*at));
    if (p.line != 0 && !is_own(p)) all.push_back(p);
  }
  return all;
}

frame_link const& first_frame(task_state const& task) {
  std::coroutine_handle<> const body = static_cast<detail::child const&>(task).body;
  return std::coroutine_handle<frame_link>::from_address(body.address()).promise();
}

std::string name_of(task_state const& task, std::vector<await_point> const& awaits) {
  if (task.name != nullptr) return task.name;
  if (!awaits.empty()) return awaits.back().function;
  if constexpr (!PLAIT_TASK_TRACKING) return "task";
  std::string const first = point_of(first_frame(task)).function;
  return first.empty() ? "(new)" : first;
}

class snapshot_maker {
 public:
  explicit snapshot_maker(scheduler& s) : scheduler_(s), now_(s.now()) {
    for (resumable const* r = s.first_ready(); r != nullptr; r = r->next_ready) note_ready(*r);
  }

  task_tree make() {
    for (detail::live_tasks all(scheduler_); all.next();) add(all.task(), all.parent());
    describe_waits();
    return std::move(tree_);
  }

 private:
  // A root in the queue is that of a task whose coroutine has returned: it has no frame any more.
  void note_ready(resumable const& r) {
    if (r.parent == nullptr) return;
    auto const& leaf = static_cast<frame_link const&>(r);
    ready_.emplace(leaf.owner, &leaf);
  }

  void add(task_state const& task, task_state const* parent) {
    live_task& made = tree_.tasks.emplace_back();
    made.id = reinterpret_cast<std::uintptr_t>(&task);
    made.cancelled = task.scope->cancel_visible();
    auto const ready = ready_.find(&task);
    if (task.blocked != nullptr) {
      made.activity = task_activity::waiting;
      made.awaits = chain_from(*task.leaf);
      if constexpr (PLAIT_TASK_TRACKING) {
        made.waited = duration(std::int64_t{scheduler_.ticks() - task.blocked->waits_since()} << 20);
      }
    } else if (ready != ready_.end()) {
      made.activity = task_activity::ready;
      made.awaits = chain_from(*ready->second);
    } else {
      made.activity = task_activity::running;
    }
    made.name = name_of(task, made.awaits);
    if (auto const known = places_.find(parent); known != places_.end()) made.parent = known->second;
    places_.emplace(&task, states_.size());
    states_.push_back(&task);
  }

  // When every task has its name, for the holders'.
  void describe_waits() {
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (states_[i]->blocked == nullptr) continue;
      wait_info info;
      for (std::size_t n = 0; n < waits_max && states_[i]->blocked->waits_for(n, info); ++n) {
        tree_.tasks[i].waits_for.push_back(describe(info));
      }
    }
  }

  std::string describe(wait_info const& info) const {
    std::string text = info.what;
    auto const holder = places_.find(info.holder);
    bool const is_join = info.holder != nullptr && info.object == info.holder;
    if (is_join) {
      return text + " " + (holder != places_.end() ? tree_.tasks[holder->second].name : "a task");
    }
    if (info.name != nullptr) text += std::string(" '") + info.name + "'";
    if (info.number >= 0) text += " of descriptor " + std::to_string(info.number);
    if (info.until != no_deadline) {
      text += ", " + to_string(info.until > now_ ? info.until - now_ : duration(0)) + " left";
    }
    if (holder != places_.end()) {
      text += ", held by " + tree_.tasks[holder->second].name;
      if (info.held_at.line() != 0) {
        text += " since " + detail::place(info.held_at);
      }
    }
    return text;
  }

  scheduler& scheduler_;
  time_point now_;
  task_tree tree_;
  std::vector<task_state const*> states_;
  std::unordered_map<task_state const*, std::size_t> places_;
  std::unordered_map<task_state const*, frame_link const*> ready_;
};

}  // namespace

task_tree snapshot(scheduler& s) { return snapshot_maker(s).make(); }

}  // namespace plait
