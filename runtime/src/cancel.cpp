#include <plait/cancel.hpp>

#include <plait/detail/checkpoint.hpp>
#include <plait/task_group.hpp>

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace plait {
namespace {

std::string in_milliseconds(duration d) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g ms", static_cast<double>(d.count()) / 1e6);
  return text;
}

}  // namespace

timed_out::timed_out(duration after)
    : std::runtime_error("timed out after " + in_milliseconds(after)),
      after_(after) {}

cancel_scope::deadline_timer::deadline_timer(cancel_scope& s) noexcept
    : timer([](timer& t) noexcept {
        auto& expired = static_cast<deadline_timer&>(t).scope;
        expired.expired_ = true;
        expired.cancel("deadline passed");
      }),
      scope(s) {}

cancel_scope::request_call::request_call(cancel_scope& s) noexcept
    : remote_call([](remote_call& c) noexcept {
        auto& asked = static_cast<request_call&>(c).scope;
        cancel_reason const why = asked.request_.take();
        asked.cancel(why.text, why.by);
      }),
      scope(s) {}

cancel_scope::~cancel_scope() {
  PLAIT_CHECK(task_ == nullptr, "a cancel scope was destroyed before it was left");
  if (scheduler_ == nullptr) return;
  if (timer_.armed()) scheduler_->timers().cancel(timer_);
  if (visible_) --scheduler_->cancelled_scopes;
}

void cancel_scope::request_cancel(char const* reason, std::source_location by) noexcept {
  if (request_.make({reason, by})) scheduler_->post(request_call_);
}

void cancel_scope::cancel(char const* reason, std::source_location by) noexcept {
  PLAIT_ASSERT(scheduler_ == nullptr || scheduler_ == scheduler::current_or_null(),
               "a cancel scope was cancelled on another thread; use request_cancel there");
  if (cancelled_) return;
  cancelled_ = true;
  reason_ = reason;
  by_ = by;
  if (scheduler_ != nullptr && !visible_) spread();
}

void cancel_scope::show() noexcept {
  visible_ = true;
  ++scheduler_->cancelled_scopes;
}

// Marks what can see this scope and lets its tasks' operations know. Walks with a list of groups
// instead of the stack: the tree of scopes may be deep.
void cancel_scope::spread() noexcept {
  cancel_scope* groups = nullptr;
  show();
  if (is_group()) {
    next_group_ = nullptr;
    groups = this;
  }
  if (task_ != nullptr) reach_task(*task_, groups);
  while (groups != nullptr) {
    cancel_scope* const group = groups;
    groups = group->next_group_;
    detail::sibling* const ring = &task_group::of(*group).children_;
    for (detail::sibling* s = ring->next; s != ring; s = s->next) {
      group->reach_task(static_cast<detail::child&>(*s), groups);
    }
  }
}

// The scopes of one task from its innermost up to this one; those inside a shield see nothing.
void cancel_scope::reach_task(detail::task_state& task, cancel_scope*& groups) noexcept {
  cancel_scope* innermost = task.scope;
  for (cancel_scope* s = task.scope; s != this; s = s->parent_) {
    if (s->kind_ == kind::shield) innermost = s->parent_;
  }
  for (cancel_scope* s = innermost; s != this; s = s->parent_) {
    if (s->visible_) continue;
    s->show();
    if (s->is_group()) {
      s->next_group_ = groups;
      groups = s;
    }
  }
  if (innermost == task.scope && task.blocked != nullptr) task.blocked->cancel();
}

void cancel_scope::cancel_shields(char const* reason) {
  std::vector<cancel_scope*> groups{this};
  while (!groups.empty()) {
    cancel_scope* const group = groups.back();
    groups.pop_back();
    detail::sibling* const ring = &task_group::of(*group).children_;
    for (detail::sibling* c = ring->next; c != ring; c = c->next) {
      for (cancel_scope* s = static_cast<detail::child&>(*c).scope; s != group; s = s->parent_) {
        if (s->kind_ == kind::shield) s->cancel(reason);
        if (s->is_group()) groups.push_back(s);
      }
    }
  }
}

void cancel_scope::enter(detail::task_state& task) noexcept {
  scheduler_ = &scheduler::current();
  task_ = &task;
  parent_ = task.scope;
  task.scope = this;
  if (cancelled_ || (kind_ != kind::shield && parent_->visible_)) show();
  if (timer_.deadline == time_point{}) return;
  set_deadline(timer_.deadline);
}

// What another thread has asked for must have arrived before this goes.
void cancel_scope::take_requests() noexcept {
  while (request_.pending()) {
    if (!scheduler_->drain_inbox()) std::this_thread::yield();  // the sender is between its two steps
  }
}

void cancel_scope::leave() noexcept {
  PLAIT_CHECK(task_->scope == this, "cancel scopes were left in an order other than that of entering");
  if (timer_.armed()) scheduler_->timers().cancel(timer_);
  take_requests();
  task_->scope = parent_;
  task_ = nullptr;
  if (visible_) --scheduler_->cancelled_scopes;
  scheduler_ = nullptr;
}

bool cancel_scope::absorbs() const noexcept {
  return cancelled_ && (kind_ == kind::shield || !parent_->visible_);
}

void cancel_scope::set_deadline(time_point deadline) noexcept {
  if (timer_.armed()) scheduler_->timers().cancel(timer_);
  timer_.deadline = deadline;
  if (scheduler_ == nullptr || deadline == no_deadline) return;
  if (deadline <= scheduler_->turn_time()) {
    timer_.fire(timer_);
  } else {
    scheduler_->timers().arm(timer_, deadline);
  }
}

time_point cancel_scope::deadline() const noexcept {
  time_point earliest = no_deadline;
  for (cancel_scope const* s = this; s != nullptr; s = s->parent_) {
    if (s->timer_.deadline != time_point{} && s->timer_.deadline < earliest) {
      earliest = s->timer_.deadline;
    }
    if (s->kind_ == kind::shield) break;
  }
  return earliest;
}

// The outermost cancelled scope that can be seen from here: the one that will absorb.
cancel_scope const& cancel_scope::cause() const noexcept {
  cancel_scope const* found = this;
  for (cancel_scope const* s = this; s != nullptr && s->visible_; s = s->parent_) {
    if (s->cause_ != nullptr) s = s->cause_;
    if (s->cancelled_) found = s;
    if (s->kind_ == kind::shield) break;
  }
  // Remembered all along, or a cancellation that passes through n groups would look n * n / 2 times.
  for (cancel_scope const* s = this; s != found && s->cause_ != found; s = s->parent_) {
    s->cause_ = found;
  }
  return *found;
}

void cancel_scope::throw_cancelled() const {
  cancel_scope const& by = cause();
  throw cancelled(by.reason_, by.by_);
}

namespace detail {

bool checkpoint_hook::refuses(task_state const& task) noexcept {
  std::exception_ptr error = each(task.leaf->await_at);
  if (error == nullptr) return false;
  refused = &task;
  refusal = std::move(error);
  return true;
}

bool sees_cancel(task_state const& task) noexcept {
  if (at_checkpoint != nullptr && at_checkpoint->refuses(task)) [[unlikely]] return true;
  return task.scope->cancel_visible();
}

void throw_cancelled(task_state const& task) {
  if (at_checkpoint != nullptr && at_checkpoint->refused == &task) at_checkpoint->throw_refusal();
  task.scope->throw_cancelled();
}

void throw_if_refused() {
  if (at_checkpoint != nullptr && at_checkpoint->refused != nullptr) at_checkpoint->throw_refusal();
}

}  // namespace detail
}  // namespace plait
