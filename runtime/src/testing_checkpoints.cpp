#include <plait/testing/checkpoints.hpp>

#include <utility>

namespace plait::testing {

checkpoint_watch::checkpoint_watch(scheduler& s, std::function<void()> each)
    : checkpoint_watch(s,
                       [look = std::move(each)](std::source_location const&) -> std::exception_ptr {
                         look();
                         return nullptr;
                       }) {}

// The watch counts as a cancelled scope, which makes every await take the path with the full check.
checkpoint_watch::checkpoint_watch(
    scheduler& s, std::function<std::exception_ptr(std::source_location const& await)> each)
    : scheduler_(s) {
  PLAIT_CHECK(detail::at_checkpoint == nullptr, "two checkpoint_watch on one thread");
  hook_.each = std::move(each);
  detail::at_checkpoint = &hook_;
  ++scheduler_.cancelled_scopes;
}

checkpoint_watch::~checkpoint_watch() {
  --scheduler_.cancelled_scopes;
  detail::at_checkpoint = nullptr;
}

}  // namespace plait::testing
