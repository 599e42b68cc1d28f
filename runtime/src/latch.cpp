#include <plait/sync/latch.hpp>

#include <stdexcept>

namespace plait {

void latch::count_down(std::size_t n) {
  if (n > left_) throw std::logic_error("a latch was counted down below zero");
  left_ -= n;
  if (left_ != 0) return;
  while (!waiting_.empty()) waiting_.grant_front();
}

bool latch::wait_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info{.what = "latch", .name = latch_->name_, .object = latch_, .from_outside = false};
  return true;
}

}  // namespace plait
