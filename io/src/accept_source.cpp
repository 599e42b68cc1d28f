#include "accept_source.hpp"

#include <plait/scheduler.hpp>

#include <cerrno>
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

namespace plait::io::detail {

accept_source::~accept_source() {
  for (int const fd : landed_) {
    if (fd >= 0) ::close(fd);
  }
}

bool accept_source::next_operation::start(plait::detail::task_state& task) {
  accept_source& s = *source_;
  PLAIT_CHECK(s.waiter_ == nullptr, "two tasks accept from one listener; let one accept and spawn");
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
  if (fd < 0) return deliver(-ECANCELED);
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
  if (orphaned_) {
    if (result >= 0) ::close(result);
    if (!armed_) delete this;
    return;
  }
  deliver(result);
}

void accept_source::deliver(int result) noexcept {
  if (waiter_ == nullptr) {
    landed_.push_back(result);
    return;
  }
  waiter_->answer_ = result;
  operation_access::wake(*std::exchange(waiter_, nullptr));
}

// shutdown(2) stops the kernel's listening at once, whatever the ring still holds of the socket.
void accept_source::close() noexcept {
  if (fd < 0) return;
  ::shutdown(fd, SHUT_RDWR);
  if (armed_) io_driver::current().cancel(*this);
  if (waiter_ != nullptr) deliver(-ECANCELED);
}

void accept_source::orphan() noexcept {
  PLAIT_CHECK(waiter_ == nullptr, "a listener was destroyed while a task accepts from it");
  if (armed_ && scheduler::current_or_null() != nullptr) {
    io_driver& driver = io_driver::current();
    ::shutdown(fd, SHUT_RDWR);
    driver.vacate(*this);
    orphaned_ = true;
    driver.cancel(*this);  // may free it
    return;
  }
  delete this;
}

}  // namespace plait::io::detail
