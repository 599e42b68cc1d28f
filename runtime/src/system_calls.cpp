#include <plait/system_calls.hpp>

namespace plait {

system_calls::~system_calls() = default;

system_calls& system_calls::real() noexcept {
  static system_calls calls;
  return calls;
}

}  // namespace plait
