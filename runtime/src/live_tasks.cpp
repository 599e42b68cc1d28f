#include "live_tasks.hpp"

namespace plait::detail {

bool live_tasks::enter(cancel_scope& group) noexcept {
  task_group& entered = task_group::of(group);
  if (entered.empty()) return false;
  group_ = &entered;
  task_ = static_cast<child*>(entered.children_.next);
  return true;
}

// The groups that the task has opened, from this scope of its outwards.
bool live_tasks::enter_groups_of(task_state const& task, cancel_scope* from) noexcept {
  for (cancel_scope* s = from; s != nullptr && s->entered_by() == &task; s = s->parent()) {
    if (s->is_group() && enter(*s)) return true;
  }
  return false;
}

bool live_tasks::next() noexcept {
  if (task_ != nullptr && enter_groups_of(*task_, task_->scope)) return true;
  while (task_ != nullptr) {
    sibling* const beside = task_->next;
    if (beside != &group_->children_) {
      task_ = static_cast<child*>(beside);
      return true;
    }
    // The last of its group: on with the outer groups of the task that has opened it.
    task_state* const opener = group_->entered_by();
    if (opener == nullptr) break;
    if (enter_groups_of(*opener, group_->parent())) return true;
    task_ = static_cast<child*>(opener);
    cancel_scope* around = task_->scope;
    while (around->entered_by() == opener) around = around->parent();
    group_ = &task_group::of(*around);
  }
  while (next_root_ != nullptr) {
    task_group& root = *next_root_;
    next_root_ = root.next_root_;
    if (enter(root)) return true;
  }
  return false;
}

}  // namespace plait::detail
