#include <plait/testing/checkpoints.hpp>

#include <plait/detail/checkpoint.hpp>

#include <utility>

namespace plait::testing {

// The watch counts as a cancelled scope, which makes every await take the path with the full check.
checkpoint_watch::checkpoint_watch(scheduler& s, std::function<void()> each)
    : scheduler_(s), each_(std::move(each)) {
  PLAIT_CHECK(detail::at_checkpoint == nullptr, "two checkpoint_watch on one thread");
  detail::at_checkpoint = &each_;
  ++scheduler_.cancelled_scopes;
}

checkpoint_watch::~checkpoint_watch() {
  --scheduler_.cancelled_scopes;
  detail::at_checkpoint = nullptr;
}

}  // namespace plait::testing
