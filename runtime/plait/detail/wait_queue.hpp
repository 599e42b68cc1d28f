// The wait queue under every primitive: intrusive, first in first out, cancellable, without allocation,
// after Trio's ParkingLot. A waiter lives in the awaiting frame. What it waits for is handed over by
// whoever gives it up: a task that was granted something need not look whether it is still there, and no
// third task can come in between. One scheduler's thread only.
#pragma once

#include <plait/operation.hpp>
#include <plait/scheduler.hpp>

#include <cstddef>
#include <cstdint>

namespace plait::detail {

struct wait_link {
  wait_link* next;
  wait_link* previous;
};

class wait_queue;

// Why a wait ended without what it waited for, and not by cancellation.
enum class refusal : std::uint8_t {
  none,
  deadlock,  // nobody can grant it any more
  closed,    // the primitive was closed, or broke
};

[[noreturn]] void throw_deadlock();
// For results: throws deadlock_error where that is how the wait ended.
inline void throw_if(refusal how) {
  if (how == refusal::deadlock) [[unlikely]] throw_deadlock();
}

// A task's place in a queue. A primitive derives its operations from it.
class queued_wait : public operation, private wait_link {
 public:
  static constexpr bool claimable = true;

  bool refuse_deadlock() noexcept override {
    refuse(refusal::deadlock);
    return true;
  }

  // The owner of the queue takes it out and says how it ended.
  void grant() noexcept {
    leave_queue();
    complete(status::done);
  }
  void refuse(refusal why) noexcept {
    leave_queue();
    refused_ = why;
    complete(status::done);
  }
  // After its end, where that was no cancellation.
  refusal how() const noexcept { return refused_; }
  // The task that waits, also where this is a case of its select.
  task_state& task() const noexcept { return real_task(*waiter()); }

 protected:
  queued_wait() noexcept = default;
  queued_wait(queued_wait&& other) noexcept : operation(std::move(other)), wait_link() {}

  inline void enqueue(task_state& task, wait_queue& at) noexcept;
  // For start(): finished at once where it was granted at once, and else in the queue.
  inline bool enqueue_unless(bool granted, task_state& task, wait_queue& at) noexcept;

  // For waits_for(): a wait that other tasks alone can end, nobody knows which.
  static bool describe(std::size_t n, wait_info& into, char const* what, char const* name,
                       void const* object) noexcept;

  // Called when it was taken out because it was cancelled: those behind it may have to go now.
  virtual void withdrawn() noexcept {}

  // Out of the queue, without an end.
  void leave_queue() noexcept {
    next->previous = previous;
    previous->next = next;
  }

  // For a wait that ends later for this reason.
  void note_refusal(refusal why) noexcept { refused_ = why; }

  // For result(): throws deadlock_error where that is what happened.
  refusal outcome() const {
    throw_if(refused_);
    return refused_;
  }
  bool was_refused() const noexcept { return refused_ != refusal::none; }

 private:
  friend class wait_queue;

  void cancel() noexcept override {
    leave_queue();
    complete(status::cancelled);
    withdrawn();
  }
  refusal refused_ = refusal::none;
};

class wait_queue {
 public:
  wait_queue() noexcept = default;
  wait_queue(wait_queue const&) = delete;
  wait_queue& operator=(wait_queue const&) = delete;

  bool empty() const noexcept { return ring_.next == &ring_; }
  std::size_t size() const noexcept;  // counts them
  bool has(task_state const* task) noexcept;
  // The one that has waited longest. Not of an empty queue.
  queued_wait& front() noexcept { return static_cast<queued_wait&>(*ring_.next); }
  // The one behind, or null.
  queued_wait* after(queued_wait& w) noexcept {
    return w.next == &ring_ ? nullptr : static_cast<queued_wait*>(w.next);
  }

  void push_back(queued_wait& w) noexcept {
    w.next = &ring_;
    w.previous = ring_.previous;
    ring_.previous->next = &w;
    ring_.previous = &w;
  }
  void grant_front() noexcept { front().grant(); }
  // Those that wait now, and not who comes while they are woken.
  void grant_all() noexcept;
  void refuse_all(refusal why) noexcept;

 private:
  wait_link ring_{&ring_, &ring_};
};

inline void queued_wait::enqueue(task_state& task, wait_queue& at) noexcept {
  begin(task);
  at.push_back(*this);
}

inline bool queued_wait::enqueue_unless(bool granted, task_state& task, wait_queue& at) noexcept {
  if (granted) {
    complete_inline(status::done);
  } else {
    enqueue(task, at);
  }
  return !granted;
}

}  // namespace plait::detail
