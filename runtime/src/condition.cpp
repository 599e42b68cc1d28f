#include <plait/sync/condition.hpp>

#include <stdexcept>

namespace plait {

condition_wait condition::wait(recursive_mutex::guard& guard) noexcept {
  recursive_mutex* const m = guard.held();
  return condition_wait(*this, m == nullptr ? nullptr : &condition_wait::inner_of(*m), m);
}

void condition::notify(std::size_t n) noexcept {
  for (; n != 0 && !waiting_.empty(); --n) static_cast<condition_wait&>(waiting_.front()).relock();
}

void condition::notify_all() noexcept { notify(static_cast<std::size_t>(-1)); }

bool condition_wait::start(detail::task_state& task) {
  if (mutex_ == nullptr) throw std::logic_error("a condition was waited for with a guard that holds nothing");
  enqueue(task, condition_->waiting_);
  if (recursive_ != nullptr) depth_ = std::exchange(recursive_->depth_, 0);
  mutex_->unlock();
  return true;
}

void condition_wait::relock() noexcept {
  leave_queue();
  relocker_.emplace(*this, *waiter());
  relock_.emplace(*mutex_);
  if (scheduler::current().lock_order_checks != 0) [[unlikely]] look_at_order();
  if (!relock_->start_unchecked(*relocker_)) end();
}

// That of a lock which has to be taken, come what may.
void condition_wait::look_at_order() {
  detail::ordered_lock const wanted = mutex_->in_order();
  detail::look_at_order(wanted, *relocker_, detail::wrong_order::may_not_throw);
  detail::note_holding(wanted, *relocker_);
}

void condition_wait::relocked(detail::root_frame* which) { static_cast<relocker&>(*which).of->end(); }

void condition_wait::end() noexcept {
  if (recursive_ != nullptr) recursive_->depth_ = depth_;
  complete(cancelled_ ? status::cancelled : status::done);
}

void condition_wait::cancel() noexcept {
  if (relock_.has_value()) return;  // notified, or cancelled before
  cancelled_ = true;
  relock();
}

bool condition_wait::refuse_deadlock() noexcept {
  if (relock_.has_value()) return false;  // the guard outside stands for the mutex
  note_refusal(detail::refusal::deadlock);
  relock();
  return true;
}

bool condition_wait::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (relock_.has_value()) return relock_->waits_for(n, into);
  return describe(n, into, "condition", condition_->name_, condition_);
}

}  // namespace plait
