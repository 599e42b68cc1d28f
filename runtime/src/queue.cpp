#include <plait/channel/queue.hpp>

#include <algorithm>
#include <stdexcept>

namespace plait::detail {

queue_base::~queue_base() {
  std::lock_guard const guard(lock_);
  PLAIT_CHECK(getters_.empty() && putters_.empty() && joiners_.empty(),
              "a queue was destroyed while a task or a thread waits for it: close it, and await them");
}

void queue_base::finish(std::size_t items, wake_list& told) noexcept {
  unfinished_ -= std::min(items, unfinished_);  // of those some may have been said to be done
  if (unfinished_ == 0) told.let_all_go(joiners_);
}

void queue_base::task_done() {
  wake_list told;
  std::lock_guard const guard(lock_);
  if (unfinished_ == 0) {
    throw std::logic_error("queue: task_done() was called more often than items were put: call it once for "
                           "each item that get() gave");
  }
  finish(1, told);
}

void queue_base::refuse_all(wake_list& told) noexcept {
  closed_ = true;
  told.refuse_all(putters_);
  told.refuse_all(getters_);
}

void queue_base::close() noexcept {
  wake_list told;
  std::lock_guard const guard(lock_);
  refuse_all(told);
}

bool queue_base::closed() const noexcept {
  std::lock_guard const guard(lock_);
  return closed_;
}

std::size_t queue_base::unfinished() const noexcept {
  std::lock_guard const guard(lock_);
  return unfinished_;
}

queue_base::join_operation queue_base::join() noexcept { return join_operation(*this); }

bool queue_base::join_operation::begin_unless_done(task_state* task) {
  auto const done = [this](wake_list&) { return of_->unfinished_ == 0; };
  return begin_unless(done, task, of_->joiners_);
}

bool queue_base::join_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  return describe(n, into, "queue's join", of_->name_, of_);
}

void queue_base::blocking_join(duration timeout) {
  thread_parking::refuse_on_a_scheduler("queue: blocking_join", "join()");
  thread_wait<join_waiter> waiting;
  std::unique_lock guard(lock_);
  if (unfinished_ != 0 && !waiting.wait(guard, joiners_, timeout)) throw_timed_out(timeout);
}

void queue_base::throw_timed_out(duration timeout) { throw timed_out(timeout); }

}  // namespace plait::detail
