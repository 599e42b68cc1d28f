// Counts down to zero once, and lets everyone go who waits for that: tasks of one scheduler.
//
// One scheduler's thread. Waiting is a cancel point, and does not change the count. Nobody may wait when
// it is destroyed.
#pragma once

#include <plait/detail/wait_queue.hpp>

#include <cstddef>

namespace plait {

class latch {
 public:
  class wait_operation;

  // The name is for reports: a literal, or what else outlives the latch.
  explicit latch(std::size_t count, char const* name = nullptr) noexcept : left_(count), name_(name) {}
  latch(latch const&) = delete;
  latch& operator=(latch const&) = delete;

  // Throws std::logic_error, and changes nothing, where more are counted than are left.
  void count_down(std::size_t n = 1);
  std::size_t left() const noexcept { return left_; }
  bool try_wait() const noexcept { return left_ == 0; }
  // co_await them.
  wait_operation wait() noexcept;
  // Counts down by one when it is awaited, cancelled later or not.
  wait_operation arrive_and_wait() noexcept;

 private:
  std::size_t left_;
  char const* name_;
  detail::wait_queue waiting_;
};

class latch::wait_operation : public detail::queued_wait {
 public:
  explicit wait_operation(latch& of, bool arrives) noexcept : latch_(&of), arrives_(arrives) {}

  bool start(detail::task_state& task) {
    if (arrives_) latch_->count_down();
    return enqueue_unless(latch_->left_ == 0, task, latch_->waiting_);
  }
  void result() const { outcome(); }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 private:
  latch* latch_;
  bool arrives_;
};

inline latch::wait_operation latch::wait() noexcept { return wait_operation(*this, false); }
inline latch::wait_operation latch::arrive_and_wait() noexcept { return wait_operation(*this, true); }

}  // namespace plait
