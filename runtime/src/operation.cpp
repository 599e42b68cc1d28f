#include <plait/operation.hpp>

namespace plait {

bool cancellable::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info();
  return true;
}

}  // namespace plait
