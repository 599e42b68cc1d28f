#include <plait/operation.hpp>

#include <plait/driver.hpp>
#include <plait/sleep.hpp>

#include <poll.h>

namespace plait {

bool cancellable::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info();
  return true;
}

bool sleep_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info();
  into.what = "sleep";
  into.until = timer::deadline;
  return true;
}

bool fd_wait::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info();
  bool const reads = (events_ & POLLIN) != 0;
  bool const writes = (events_ & POLLOUT) != 0;
  into.what = reads && writes ? "readiness" : writes ? "writability" : "readability";
  into.number = fd_;
  return true;
}

}  // namespace plait
