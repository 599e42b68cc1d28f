#include <plait/sync/mutex.hpp>

namespace plait {

std::optional<mutex::guard> mutex::try_lock() noexcept {
  if (locked_) return std::nullopt;
  locked_ = true;
  return guard(*this);
}

bool mutex::lock_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info{.what = "mutex",
                   .name = mutex_->name_,
                   .object = mutex_,
                   .holder = mutex_->holder_,
                   .held_at = mutex_->held_at_,
                   .from_outside = false};
  return true;
}

}  // namespace plait
