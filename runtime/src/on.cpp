#include <plait/on.hpp>

namespace plait::detail {

bool away_operation::start(task_state& task) {
  home_ = &scheduler::current();
  begin(task);
  there_->post(trip_);
  return true;
}

void away_operation::arrive_there(remote_call& call) noexcept {
  away_operation& op = static_cast<trip&>(call).op;
  call.run = &arrive_home;
  try {
    op.spawn_body(scheduler::current().background());
  } catch (...) {
    op.fail(std::current_exception());
    op.end_there();
  }
}

// acq_rel: home sees the result, and this thread what home did before it asked.
void away_operation::end_there() noexcept {
  bool const asked = (state_.fetch_or(ended, std::memory_order_acq_rel) & cancel_asked) != 0;
  if (asked && !cancel_arrived_) return;
  home_->post(trip_);
}

void away_operation::cancel() noexcept {
  unsigned const before = state_.fetch_or(cancel_asked, std::memory_order_acq_rel);
  if (before == 0) there_->post(cancel_call_);
}

void away_operation::arrive_cancel(remote_call& call) noexcept {
  away_operation& op = static_cast<trip&>(call).op;
  op.cancel_arrived_ = true;
  // relaxed: this thread has set it.
  if ((op.state_.load(std::memory_order_relaxed) & ended) != 0) {
    op.home_->post(op.trip_);
  } else {
    op.scope_.cancel("the task that awaits it on another scheduler was cancelled");
  }
}

// What ended because this side had asked for it counts as cancelled here.
void away_operation::arrive_home(remote_call& call) noexcept {
  away_operation& op = static_cast<trip&>(call).op;
  bool const asked = (op.state_.load(std::memory_order_relaxed) & cancel_asked) != 0;
  op.complete(asked && op.was_cancelled() ? status::cancelled : status::done);
}

bool away_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info{.what = "task on another scheduler", .object = there_};
  return true;
}

void away_operation::throw_ended_there() { throw task_cancelled("the scheduler that it ran on is ending"); }

}  // namespace plait::detail
