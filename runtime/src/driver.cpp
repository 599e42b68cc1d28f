#include <plait/driver.hpp>

#include <plait/scheduler.hpp>

#include <poll.h>
#include <system_error>

namespace plait {

driver::~driver() = default;

int driver::order_ready(std::span<detail::resumable*>) { return scheduler::turn_budget; }

time_point clock::now() noexcept {
  if (scheduler* const s = scheduler::current_or_null()) return s->now();
  return time_point(std::chrono::steady_clock::now().time_since_epoch());
}

bool fd_wait::start(detail::task_state& task) {
  begin(task);  // before: the driver may complete it at once
  try {
    scheduler::current().io().watch(*this);
  } catch (...) {  // no memory: the driver does not hold it, and nothing will follow
    task.blocked = nullptr;
    detail::count(&detail::ledger::operations, -1);
    complete_inline(status::idle);
    throw;
  }
  return true;
}

short fd_wait::result() {
  if (error_ != 0) {
    throw std::system_error(error_, std::generic_category(),
                            "waiting for descriptor " + std::to_string(fd_));
  }
  return ready_;
}

void fd_wait::finish_request(int answer, unsigned) noexcept {
  if (answer == -ECANCELED) return complete(status::cancelled);
  if (answer < 0) {
    error_ = -answer;
  } else {
    ready_ = static_cast<short>(answer);
  }
  complete(status::done);
}

void fd_wait::cancel() noexcept { scheduler::current().io().unwatch(*this); }

}  // namespace plait
