#include <plait/sync/event.hpp>

namespace plait {

bool event::wait_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  return describe(n, into, "event", event_->name_, event_);
}

}  // namespace plait
