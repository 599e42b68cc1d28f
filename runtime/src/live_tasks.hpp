// A walk over all tasks of a scheduler that have not ended: those of the groups that no task has opened
// (background(), a run's main task, a server's sessions), and those of each task's own groups. Depth
// first, without recursion and without memory: a scope knows the task that has entered it, and a child
// the next one of its group.
#pragma once

#include <plait/scheduler.hpp>
#include <plait/task_group.hpp>

namespace plait::detail {

class live_tasks {
 public:
  explicit live_tasks(scheduler& s) noexcept : next_root_(s.first_root_) {}

  // False past the last. No task may begin or end during the walk.
  bool next() noexcept;
  task_state& task() const noexcept { return *task_; }
  task_group const& group() const noexcept { return *group_; }
  // The task whose group it is in, or null.
  task_state* parent() const noexcept { return group_->entered_by(); }

 private:
  bool enter(cancel_scope& group) noexcept;
  bool enter_groups_of(task_state const& task, cancel_scope* from) noexcept;

  task_group* next_root_;
  task_group* group_ = nullptr;
  child* task_ = nullptr;
};

}  // namespace plait::detail
