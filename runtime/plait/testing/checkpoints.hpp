// Sees every cancel point that a task of a scheduler reaches, so that a test can cancel at each of
// them in turn: the n-th run of a scenario at the n-th.
#pragma once

#include <plait/scheduler.hpp>

#include <functional>

namespace plait::testing {

// While it lives, calls `each` whenever a task of this scheduler is about to await an operation
// that can be cancelled, before the check for cancellation: what `each` cancels, this await already
// throws. One at a time for each thread; on the scheduler's thread.
class checkpoint_watch {
 public:
  checkpoint_watch(scheduler& s, std::function<void()> each);
  ~checkpoint_watch();
  checkpoint_watch(checkpoint_watch const&) = delete;
  checkpoint_watch& operator=(checkpoint_watch const&) = delete;

 private:
  scheduler& scheduler_;
  std::function<void()> each_;
};

}  // namespace plait::testing
