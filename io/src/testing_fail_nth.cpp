#include <plait/io/detail/fault_plan.hpp>

namespace plait::io::detail {

int next_fault(char const* operation) noexcept {
  int error = 0;
  for (fault_plan* p = faults_here; p != nullptr; p = p->outer) {
    if (p->operation != "*" && p->operation != operation) continue;
    if (++p->seen == p->fails_at) error = p->error;
  }
  return error;
}

}  // namespace plait::io::detail
