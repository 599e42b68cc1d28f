// How other threads reach a scheduler: a stack of their calls, and a flag that says it sleeps.
// `post` may be called from any thread, the rest belongs to the owner. Checked by tests/model/inbox.cpp.
#pragma once

#include <plait/detail/atomics.hpp>
#include <plait/detail/intrusive_stack.hpp>

#include <atomic>

namespace plait::detail {

// Up while the owner sleeps or is about to. Who takes it down has to wake the owner, so that one sleep
// costs at most one wake-up, whoever many ask.
template <class Atomics = std_atomics>
class wake_flag {
 public:
  // seq_cst: the owner's write of Dekker's protocol; the others' read is in `take`.
  void raise() noexcept { up_.store(true, std::memory_order_seq_cst); }
  // relaxed: who takes the flag all the same wakes one that is awake.
  void lower() noexcept { up_.store(false, std::memory_order_relaxed); }
  // seq_cst: pairs with `raise`. The look comes first because the flag is down nearly always.
  bool take() noexcept {
    return up_.load(std::memory_order_seq_cst) && up_.exchange(false, std::memory_order_seq_cst);
  }

 private:
  typename Atomics::template atomic<bool> up_{false};
};

// Stack and flag are the two halves of Dekker's protocol: a sender writes the stack and then reads the
// flag, the owner writes the flag and then reads the stack. Both sides are sequentially consistent, or
// each could miss the other.
template <class Call, class Atomics = std_atomics>
class inbox {
 public:
  // `wake` gets the owner out of its `park`. From the push on, the call may run and end this inbox, but
  // for `await_senders`.
  template <class Wake>
  void post(Call& call, Wake const& wake) noexcept {
    posting_.fetch_add(1, std::memory_order_relaxed);  // who takes the call sees it: push releases
    calls_.push(call);
    if (asleep_.take()) wake();
    posting_.fetch_sub(1, std::memory_order_release);  // pairs with await_senders
  }

  bool seems_empty() const noexcept { return calls_.seems_empty(); }

  // Runs the calls in the order in which they were posted. False where there was none.
  bool drain() noexcept {
    if (calls_.seems_empty()) return false;
    Call* newest = calls_.take_all();
    Call* oldest = nullptr;
    while (newest != nullptr) {
      Call* const next = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = next;
    }
    while (oldest != nullptr) {
      Call* const call = oldest;
      oldest = oldest->next;
      call->run(*call);
    }
    return true;
  }

  // Calls `park`, which returns when it is woken, unless something has been posted.
  template <class Park>
  void sleep(Park const& park) {
    asleep_.raise();
    if (calls_.empty()) park();
    asleep_.lower();
  }

  // Before the end: those whose calls have run may not have returned from `post`.
  // acquire: all that they did there comes before the end.
  void await_senders() const noexcept {
    while (posting_.load(std::memory_order_acquire) != 0) Atomics::yield();
  }

 private:
  intrusive_stack<Call, Atomics> calls_;
  wake_flag<Atomics> asleep_;
  typename Atomics::template atomic<int> posting_{0};  // threads inside post
};

}  // namespace plait::detail
