#include <plait/detail/shared_wait.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

namespace plait::detail {

void shared_line::push(shared_waiter& waiter) noexcept {
  waiter.line_ = this;
  waiter.next_ = nullptr;
  waiter.previous_ = last_;
  (last_ == nullptr ? first_ : last_->next_) = &waiter;
  last_ = &waiter;
}

void shared_line::remove(shared_waiter& waiter) noexcept {
  (waiter.previous_ == nullptr ? first_ : waiter.previous_->next_) = waiter.next_;
  (waiter.next_ == nullptr ? last_ : waiter.next_->previous_) = waiter.previous_;
  waiter.line_ = nullptr;
}

void wake_list::take(shared_waiter& waiter, bool refused) noexcept {
  waiter.line_->remove(waiter);
  waiter.refused_ = refused;
  // A thread is told under the lock: it may be gone as soon as it can see that it is out of the line.
  if (waiter.home_ == nullptr) return waiter.arrive();
  waiter.next_ = nullptr;
  *last_ = &waiter;
  last_ = &waiter.next_;
}

wake_list::~wake_list() {
  scheduler const* const here = scheduler::current_or_null();
  for (shared_waiter* waiter = first_; waiter != nullptr;) {
    shared_waiter* const next = waiter->next_;  // the waiter may be gone when it has been told
    if (waiter->home_ == here) {
      waiter->arrive();
    } else {
      waiter->home_->post(*waiter);
    }
    waiter = next;
  }
}

void thread_parking::refuse_on_a_scheduler(char const* call, char const* instead) {
  if (scheduler::current_or_null() == nullptr) return;
  throw std::logic_error(std::string(call) + " on the thread of a scheduler would stop all its tasks: " +
                         "co_await " + instead + " there");
}

bool thread_parking::wait(std::unique_lock<std::mutex>& lock, shared_line* const& line, duration timeout) {
  using std::chrono::steady_clock;
  auto const gone = [&line] { return line == nullptr; };
  if (timeout == duration::max()) {
    come_.wait(lock, gone);
    return true;
  }
  time_point const now(steady_clock::now().time_since_epoch());
  duration const deadline = deadline_after(now, timeout).time_since_epoch();
  return come_.wait_until(lock, steady_clock::time_point(deadline), gone);
}

}  // namespace plait::detail
