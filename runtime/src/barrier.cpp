#include <plait/sync/barrier.hpp>

#include <utility>

namespace plait {

barrier::barrier(std::size_t parties, std::function<void()> action, char const* name)
    : parties_(parties), action_(std::move(action)), name_(name) {
  if (parties == 0) throw std::logic_error("a barrier has at least one party");
}

void barrier::abort() noexcept {
  broken_ = true;
  arrived_ = 0;
  waiting_.refuse_all(detail::refusal::closed);
}

void barrier::reset() noexcept {
  arrived_ = 0;
  waiting_.refuse_all(detail::refusal::closed);
  broken_ = false;
}

// Whether it was the last of them.
bool barrier::arrive() {
  if (broken_) throw broken_barrier();
  if (++arrived_ != parties_) return false;
  try {
    if (action_ != nullptr) action_();
  } catch (...) {
    abort();
    throw;
  }
  arrived_ = 0;
  waiting_.grant_all();
  return true;
}

bool barrier::wait_operation::start(detail::task_state& task) {
  index_ = barrier_->arrived_;
  return enqueue_unless(barrier_->arrive(), task, barrier_->waiting_);
}

bool barrier::wait_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  return describe(n, into, "barrier", barrier_->name_, barrier_);
}

}  // namespace plait
