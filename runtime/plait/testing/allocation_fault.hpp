// Lets the n-th allocation of a thread fail, after SQLite's and Seastar's tests of running out of
// memory.
//
//     allocation_fault fault(3);
//     ... whoever asks third gets std::bad_alloc ...
//
// Counted are coroutine frames and spawned tasks, where PLAIT_ASSERTIONS is on, and the global
// operator new in a program that replaces it with one that asks `next_fails()`. Memory that the C++
// runtime takes for an exception in flight is not counted.
#pragma once

#include <plait/detail/allocation_plan.hpp>
#include <plait/detail/config.hpp>

namespace plait::testing {

// One at a time for each thread. Other threads go on as ever.
class allocation_fault {
 public:
  enum class of : bool { everything, frames };

  // From 1; 0 counts and lets none fail. `frames` are those and spawned tasks, but no operator new.
  explicit allocation_fault(long nth, of which = of::everything) noexcept {
    PLAIT_CHECK(detail::allocations_here == nullptr, "two allocation_fault on one thread");
    plan_.fails_at = nth;
    plan_.frames_alone = which == of::frames;
    detail::allocations_here = &plan_;
  }
  ~allocation_fault() { detail::allocations_here = nullptr; }
  allocation_fault(allocation_fault const&) = delete;
  allocation_fault& operator=(allocation_fault const&) = delete;

  long seen() const noexcept { return plan_.seen; }
  bool happened() const noexcept { return plan_.fails_at != 0 && plan_.seen >= plan_.fails_at; }

  // Counts an allocation that is about to be made; true: it must fail.
  static bool next_fails() noexcept { return detail::other_allocation_fails(); }

 private:
  detail::allocation_plan plan_;
};

}  // namespace plait::testing
