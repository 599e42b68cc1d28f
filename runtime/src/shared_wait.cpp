#include <plait/detail/shared_wait.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

namespace plait::detail {

void shared_line::push_back(shared_waiter& waiter) noexcept {
  wait_link& link = waiter;
  link.next = &ring_;
  link.previous = ring_.previous;
  ring_.previous->next = &link;
  ring_.previous = &link;
  waiter.in_line_ = true;
}

void wake_list::take(shared_waiter& waiter, bool refused) noexcept {
  waiter.leave_line();
  waiter.refused_ = refused;
  // A thread is told under the lock: it may be gone as soon as it can see that it is out of the line.
  if (waiter.home_ == nullptr) return waiter.arrive();
  wait_link& link = waiter;
  link.next = nullptr;
  *last_ = &link;
  last_ = &link.next;
}

wake_list::~wake_list() {
  scheduler const* const here = scheduler::current_or_null();
  for (wait_link* link = first_; link != nullptr;) {
    auto& waiter = static_cast<shared_waiter&>(*link);
    link = link->next;  // the waiter may be gone when it has been told
    if (waiter.home_ == here) {
      waiter.arrive();
    } else {
      waiter.home_->post(waiter);
    }
  }
}

void thread_parking::refuse_on_a_scheduler(char const* call, char const* instead) {
  if (scheduler::current_or_null() == nullptr) return;
  throw std::logic_error(std::string(call) + " on the thread of a scheduler would stop all its tasks: " +
                         "co_await " + instead + " there");
}

bool thread_parking::wait(std::unique_lock<std::mutex>& lock, bool const& in_line, duration timeout) {
  using std::chrono::steady_clock;
  auto const gone = [&in_line] { return !in_line; };
  if (timeout == duration::max()) {
    come_.wait(lock, gone);
    return true;
  }
  time_point const now(steady_clock::now().time_since_epoch());
  duration const deadline = deadline_after(now, timeout).time_since_epoch();
  return come_.wait_until(lock, steady_clock::time_point(deadline), gone);
}

}  // namespace plait::detail
