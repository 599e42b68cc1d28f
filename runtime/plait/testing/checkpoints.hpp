// Sees every cancel point that a task of a scheduler reaches, so that a test can cancel at each of
// them in turn, or make an exception come out of it: the n-th run of a scenario at the n-th.
// testing/sweep.hpp does that.
#pragma once

#include <plait/detail/checkpoint.hpp>
#include <plait/scheduler.hpp>

#include <exception>
#include <functional>
#include <source_location>

namespace plait::testing {

// While it lives, calls `each` whenever a task of this scheduler is about to await an operation
// that can be cancelled, before the check for cancellation: what `each` cancels, this await already
// throws. One at a time for each thread; on the scheduler's thread.
class checkpoint_watch {
 public:
  checkpoint_watch(scheduler& s, std::function<void()> each);
  // `each` gets the line of the await, and may give an exception: the await throws that, and the
  // operation is not begun.
  checkpoint_watch(scheduler& s,
                   std::function<std::exception_ptr(std::source_location const& await)> each);
  ~checkpoint_watch();
  checkpoint_watch(checkpoint_watch const&) = delete;
  checkpoint_watch& operator=(checkpoint_watch const&) = delete;

 private:
  scheduler& scheduler_;
  plait::detail::checkpoint_hook hook_;
};

}  // namespace plait::testing
