// A place where a number of tasks wait for each other, again and again.
//
//     plait::barrier phase(3, [&] { merge(); });
//     std::size_t const index = co_await phase.arrive_and_wait();   // 0 to 2, another for each
//
// The last to arrive runs the action, and then all go on. A barrier breaks when a task that waits is
// cancelled (a timeout, too), when the action throws (the last to arrive gets that exception), or by
// abort(): then all who wait, and all who come, get broken_barrier, until reset(). So nobody waits for
// someone who will not come. One scheduler's thread. Nobody may wait when it is destroyed.
#pragma once

#include <plait/detail/wait_queue.hpp>

#include <cstddef>
#include <functional>
#include <stdexcept>

namespace plait {

class broken_barrier : public std::runtime_error {
 public:
  broken_barrier() : std::runtime_error("the barrier is broken") {}
};

class barrier {
 public:
  class wait_operation;

  // The action may not await, nor use the barrier. The name is for reports: a literal, or what else
  // outlives the barrier. Throws std::logic_error for no parties.
  explicit barrier(std::size_t parties, std::function<void()> action = nullptr, char const* name = nullptr);
  barrier(barrier const&) = delete;
  barrier& operator=(barrier const&) = delete;

  // co_await it: gives the place in the order of arrival, from 0.
  wait_operation arrive_and_wait() noexcept;

  void abort() noexcept;
  // Those who wait get broken_barrier; from now on it is as new.
  void reset() noexcept;

  std::size_t parties() const noexcept { return parties_; }
  std::size_t n_waiting() const noexcept { return arrived_; }
  bool broken() const noexcept { return broken_; }

 private:
  bool arrive();

  std::size_t parties_;
  std::size_t arrived_ = 0;
  bool broken_ = false;
  std::function<void()> action_;
  char const* name_;
  detail::wait_queue waiting_;
};

class barrier::wait_operation : public detail::queued_wait {
 public:
  static constexpr bool claimable = false;  // a case that lost would have broken it

  explicit wait_operation(barrier& of) noexcept : barrier_(&of) {}

  bool start(detail::task_state& task);
  std::size_t result() const {
    if (outcome() == detail::refusal::closed) throw broken_barrier();
    return index_;
  }
  bool refuse_deadlock() noexcept override {
    refuse(detail::refusal::deadlock);
    barrier_->abort();
    return true;
  }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 private:
  void withdrawn() noexcept override { barrier_->abort(); }

  barrier* barrier_;
  std::size_t index_ = 0;
};

inline barrier::wait_operation barrier::arrive_and_wait() noexcept { return wait_operation(*this); }

}  // namespace plait
