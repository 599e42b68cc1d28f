#include "accept_source.hpp"

#include "sys.hpp"

#include <plait/scheduler.hpp>
#include <plait/sleep.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <liburing.h>
#include <sys/socket.h>

namespace plait::io::detail {
namespace {

// accept(2): errors of the new connection, which the next one need not have; and what a driver may say
// although it was asked to wait.
bool is_transient(int error) {
  switch (error) {
    case EINTR: case EAGAIN:
    case ECONNABORTED: case EPROTO: case ENOPROTOOPT: case ENETDOWN: case ENETUNREACH:
    case EHOSTDOWN: case EHOSTUNREACH: case ENONET: case EOPNOTSUPP: case EPERM: case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

bool is_exhaustion(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

void accept_source_deleter::operator()(accept_source* s) const noexcept { s->orphan(); }

void accept_source::drop_landed() noexcept {
  for (int const accepted : landed_) {
    if (accepted >= 0) sys_here().close(accepted);
  }
  landed_.clear();
}

task<descriptor> accept_source::accept(std::uint64_t& exhausted) {
  using namespace std::chrono_literals;
  duration patience = 5ms;
  for (;;) {
    int const answer = co_await next();
    if (answer >= 0) co_return descriptor(answer);
    if (is_transient(-answer)) continue;
    if (!is_exhaustion(-answer)) {
      std::error_code const code = answer == -ECANCELED || answer == -EINVAL
                                       ? make_error_code(errc::closed)
                                       : std::error_code(-answer, std::generic_category());
      throw io_error({code, 0, "accept"});
    }
    ++exhausted;
    co_await sleep_for(patience);
    patience = std::min<duration>(patience * 2, 100ms);
  }
}

bool accept_source::next_operation::start(plait::detail::task_state& task) {
  accept_source& s = *source_;
  PLAIT_CHECK(s.waiter_ == nullptr, "two tasks accept from one listener; let one accept and spawn");
  if (s.closed_) {
    answer_ = -ECANCELED;
    complete_inline(status::done);
    return false;
  }
  if (s.landed_.empty() && !s.armed_) s.arm();
  if (!s.landed_.empty()) {
    answer_ = s.landed_.front();
    s.landed_.pop_front();
    complete_inline(status::done);
    return false;
  }
  s.waiter_ = this;
  begin(task);
  return true;
}

// The source stays armed: a connection that lands meanwhile is the next accept's.
void accept_source::next_operation::cancel() noexcept {
  if (source_->waiter_ != this) return;
  source_->waiter_ = nullptr;
  complete(status::cancelled);
}

void accept_source::arm() {
  io_driver& driver = io_driver::current();
  home_ = &scheduler::current();
  flags = driver.accepts_many() ? 1 : 0;
  cancel_asked = false;
  armed_ = true;
  if (!driver.submit(*this)) return;
  armed_ = false;
  deliver(answer);
}

void accept_source::finish_request(int result, unsigned kernel_flags) noexcept {
  if ((kernel_flags & IORING_CQE_F_MORE) == 0) {
    armed_ = false;
    if (!orphaned_) io_driver::current().vacate(*this);
  }
  if (!closed_) {
    bool const stopped = !armed_ && cancel_asked && result == -ECANCELED;
    if (!stopped) return deliver(result);
    if (waiter_ != nullptr) arm();
    return;
  }
  if (result >= 0) sys_here().close(result);
  if (!orphaned_ || armed_) return;
  io_driver::current().bury();
  delete this;
}

void accept_source::deliver(int result) noexcept {
  if (waiter_ == nullptr) {
    landed_.push_back(result);
    if (armed_ && landed_.size() == landed_max) io_driver::current().cancel(*this);
    return;
  }
  waiter_->answer_ = result;
  operation_access::wake(*std::exchange(waiter_, nullptr));
}

// shutdown(2) stops the kernel's listening at once, whatever the ring still holds of the socket. What
// has landed and was not accepted ends here, too.
void accept_source::close() noexcept {
  if (closed_) return;
  sys_here().shutdown(fd, SHUT_RDWR);
  if (waiter_ != nullptr) deliver(-ECANCELED);
  closed_ = true;
  drop_landed();
  if (armed_) io_driver::current().cancel(*this);
}

// Between two runs no scheduler is current, and the one that it is armed at is made so.
void accept_source::orphan() noexcept {
  PLAIT_CHECK(waiter_ == nullptr, "a listener was destroyed while a task accepts from it");
  if (!armed_) {
    delete this;
    return;
  }
  scheduler_binding const bound(*home_);
  io_driver& driver = io_driver::current();
  driver.vacate(*this);
  driver.adopt();
  orphaned_ = true;
  if (closed_) return;  // cancelled already
  sys_here().shutdown(fd, SHUT_RDWR);
  closed_ = true;
  driver.cancel(*this);  // may free it
}

}  // namespace plait::io::detail
