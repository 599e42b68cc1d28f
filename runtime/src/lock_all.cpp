#include <plait/sync/lock_all.hpp>

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace plait {

bool lock_all_base::start_all(detail::task_state& task, std::span<mutex*> wanted) {
  wanted_ = wanted;
  std::sort(wanted.begin(), wanted.end(), std::less<>());
  if (std::adjacent_find(wanted.begin(), wanted.end()) != wanted.end()) {
    throw std::logic_error("lock_all was asked for one mutex twice");
  }
  checks_order_ = scheduler::current().lock_order_checks != 0;
  if (checks_order_) [[unlikely]] look_at_order(task);
  step_.emplace(*this, task);
  if (!go_on()) {
    complete_inline(status::done);
    return false;
  }
  begin(task);
  return true;
}

// Before any of them is held, so that there is no order among them.
void lock_all_base::look_at_order(detail::task_state& task) const {
  for (mutex* const m : wanted_) detail::look_at_order(m->in_order(), task, detail::wrong_order::may_throw);
}

// True where it has to wait for the next one.
bool lock_all_base::go_on() noexcept {
  for (; held_ != wanted_.size(); ++held_) {
    mutex& next = *wanted_[held_];
    if (checks_order_) [[unlikely]] detail::note_holding(next.in_order(), *step_);
    current_.emplace(next);
    if (current_->start_unchecked(*step_)) return true;
  }
  return false;
}

void lock_all_base::give_back() noexcept {
  while (held_ != 0) wanted_[--held_]->unlock();
}

void lock_all_base::stepped(detail::root_frame* which) {
  lock_all_base& self = *static_cast<step&>(*which).of;
  status const how = self.current_->state();
  if (how == status::cancelled || self.current_->how() != detail::refusal::none) {
    self.give_back();
  } else {
    ++self.held_;
    if (self.go_on()) return;
  }
  self.complete(how);
}

}  // namespace plait
