// What testing/allocation_fault.hpp hooks into the allocation of frames (where assertions are on)
// and a test program into its operator new.
#pragma once

namespace plait::detail {

struct allocation_plan {
  long seen = 0;
  long fails_at = 0;  // 0: none
  bool frames_alone = false;
};

inline thread_local constinit allocation_plan* allocations_here = nullptr;

inline bool allocation_fails() noexcept {
  allocation_plan* const plan = allocations_here;
  return plan != nullptr && ++plan->seen == plan->fails_at;
}

// For operator new.
inline bool other_allocation_fails() noexcept {
  allocation_plan* const plan = allocations_here;
  return plan != nullptr && !plan->frames_alone && ++plan->seen == plan->fails_at;
}

}  // namespace plait::detail
