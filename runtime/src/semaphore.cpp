#include <plait/sync/semaphore.hpp>

#include <stdexcept>

namespace plait {

void semaphore::serve() noexcept {
  while (!waiting_.empty()) {
    auto& first = static_cast<acquire_operation&>(waiting_.front());
    if (first.count_ > available_) return;
    available_ -= first.count_;
    first.grant();
  }
}

bool semaphore::acquire_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  return describe(n, into, "semaphore", from_->name_, from_);
}

void bounded_semaphore::release(std::size_t n) {
  if (n > bound_ - available()) {
    throw std::logic_error("a bounded semaphore was released more often than it was acquired");
  }
  semaphore::release(n);
}

}  // namespace plait
