#include <plait/sync/mutex.hpp>

namespace plait {

std::optional<mutex::guard> mutex::try_lock() noexcept {
  if (locked()) return std::nullopt;
  holder_ = this;  // no task
  held_at_ = {};
  return guard(*this);
}

void mutex::hand_over() noexcept {
  take(*waiting_.front().task().leaf);
  waiting_.grant_front();
}

detail::ordered_lock mutex::in_order() noexcept {
  static constexpr detail::lock_kind kind{
      .name = "mutex",
      .is_held = [](void const* lock, detail::task_state const* by) noexcept {
        return static_cast<mutex const*>(lock)->holder_ == by;
      },
      .is_awaited = [](void* lock, detail::task_state const* by) noexcept {
        return static_cast<mutex*>(lock)->waiting_.has(by);
      }};
  return {.kind = &kind, .lock = this, .name = name_, .level = level_};
}

bool mutex::lock_wait::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info{.what = "mutex",
                   .name = mutex_->name_,
                   .object = mutex_,
                   .holder = static_cast<detail::task_state const*>(mutex_->holder_),
                   .held_at = mutex_->held_at_,
                   .from_outside = false};
  return true;
}

}  // namespace plait
