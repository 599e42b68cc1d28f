// What testing/fail_nth.hpp hooks into the start of operations: a thread that has no plan, as every
// program's, looks at one pointer.
#pragma once

#include <string_view>

namespace plait::io::detail {

struct fault_plan {
  std::string_view operation;  // op_lowering::name, or "*"
  long fails_at = 0;           // 0: none
  int error = 0;               // errno
  long seen = 0;
  fault_plan* outer = nullptr;
};

inline thread_local constinit fault_plan* faults_here = nullptr;

// Counts an operation that is about to be begun. Not 0: the errno that it answers instead.
int next_fault(char const* operation) noexcept;

inline int fault_of(char const* operation) noexcept {
  return faults_here == nullptr ? 0 : next_fault(operation);
}

}  // namespace plait::io::detail
