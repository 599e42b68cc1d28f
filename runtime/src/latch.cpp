#include <plait/sync/latch.hpp>

#include <stdexcept>

namespace plait {

void latch::count_down(std::size_t n) {
  if (n > left_) throw std::logic_error("a latch was counted down below zero");
  left_ -= n;
  if (left_ == 0) waiting_.grant_all();
}

bool latch::wait_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  return describe(n, into, "latch", latch_->name_, latch_);
}

}  // namespace plait
