// What other threads ask of a cancel scope, until its owner has taken it. At most one request is under
// way: who asks meanwhile is content with it. Checked by tests/model/cancel.cpp.
//
//    idle --make, any thread, which then posts--> pending --take, the owner's thread--> idle
#pragma once

#include <plait/detail/atomics.hpp>

#include <atomic>

namespace plait::detail {

template <class Reason, class Atomics = std_atomics>
class cancel_request {
 public:
  // True: the caller has to post the call that takes the request, which also publishes the reason.
  // acquire: pairs with the release of `take`, which has read the reason before this writes it.
  bool make(Reason const& why) noexcept {
    if (pending_.exchange(true, std::memory_order_acquire)) return false;
    reason_ = why;
    return true;
  }

  // In the call that was posted. release: from here the next one may write the reason.
  Reason take() noexcept {
    Reason const why = reason_;
    pending_.store(false, std::memory_order_release);
    return why;
  }

  // The owner's. relaxed: the reason is not read before the call is there.
  bool pending() const noexcept { return pending_.load(std::memory_order_relaxed); }

 private:
  typename Atomics::template atomic<bool> pending_{false};
  Reason reason_{};
};

}  // namespace plait::detail
