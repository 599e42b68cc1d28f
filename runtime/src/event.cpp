#include <plait/sync/event.hpp>

namespace plait {

bool event::wait_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info{.what = "event", .name = event_->name_, .object = event_, .from_outside = false};
  return true;
}

}  // namespace plait
