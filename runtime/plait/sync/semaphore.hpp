// A count of permits that the tasks of one scheduler take and give back.
//
//     plait::semaphore connections(10);
//     auto const permit = co_await connections.hold();   // given back at the end of the block
//
// First come, first served: a task that asks for many permits is not overtaken by those that ask for few.
// acquire and release need not be made by the same task. One scheduler's thread. Acquiring is a cancel
// point; a wait that is cancelled has taken nothing, and lets those behind it go on. Nobody may wait when
// it is destroyed.
#pragma once

#include <plait/detail/wait_queue.hpp>

#include <cstddef>
#include <utility>

namespace plait {

class semaphore {
 public:
  class permit;
  class acquire_operation;
  class hold_operation;

  // The name is for reports: a literal, or what else outlives the semaphore.
  explicit semaphore(std::size_t permits, char const* name = nullptr) noexcept
      : available_(permits), name_(name) {}
  semaphore(semaphore const&) = delete;
  semaphore& operator=(semaphore const&) = delete;

  // co_await them: `acquire` gives nothing, and release() is the caller's to call; `hold` gives a guard.
  acquire_operation acquire(std::size_t n = 1) noexcept;
  hold_operation hold(std::size_t n = 1) noexcept;
  // False where they are not there, or others wait for them.
  [[nodiscard]] bool try_acquire(std::size_t n = 1) noexcept {
    if (!waiting_.empty() || available_ < n) return false;
    available_ -= n;
    return true;
  }
  // By any task. Those that wait and can be served are, in their order.
  void release(std::size_t n = 1) noexcept {
    available_ += n;
    if (!waiting_.empty()) [[unlikely]] serve();
  }

  std::size_t available() const noexcept { return available_; }

 private:
  void serve() noexcept;

  std::size_t available_;
  char const* name_;
  detail::wait_queue waiting_;
};

class [[nodiscard("the permits are given back when this goes")]] semaphore::permit {
 public:
  explicit permit(semaphore& from, std::size_t n) noexcept : from_(&from), count_(n) {}
  permit(permit&& other) noexcept : from_(std::exchange(other.from_, nullptr)), count_(other.count_) {}
  permit& operator=(permit&& other) noexcept {
    std::swap(from_, other.from_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~permit() {
    if (from_ != nullptr) from_->release(count_);
  }

  void release() noexcept { std::exchange(from_, nullptr)->release(count_); }
  // The permits stay taken, for someone to release them.
  std::size_t keep() noexcept {
    from_ = nullptr;
    return count_;
  }

 private:
  semaphore* from_;
  std::size_t count_;
};

class semaphore::acquire_operation : public detail::queued_wait {
 public:
  explicit acquire_operation(semaphore& from, std::size_t n) noexcept : from_(&from), count_(n) {}

  bool start(detail::task_state& task) noexcept {
    return enqueue_unless(from_->try_acquire(count_), task, from_->waiting_);
  }
  void result() const { outcome(); }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 protected:
  semaphore* from_;
  std::size_t count_;

 private:
  friend class semaphore;
  void withdrawn() noexcept override { from_->serve(); }
};

class semaphore::hold_operation : public acquire_operation {
 public:
  using acquire_operation::acquire_operation;
  permit result() const {
    outcome();
    return permit(*from_, count_);
  }
};

inline semaphore::acquire_operation semaphore::acquire(std::size_t n) noexcept {
  return acquire_operation(*this, n);
}
inline semaphore::hold_operation semaphore::hold(std::size_t n) noexcept { return hold_operation(*this, n); }

// A semaphore that never has more permits than it began with.
class bounded_semaphore : private semaphore {
 public:
  explicit bounded_semaphore(std::size_t permits, char const* name = nullptr) noexcept
      : semaphore(permits, name), bound_(permits) {}

  using semaphore::acquire;
  using semaphore::available;
  using semaphore::hold;
  using semaphore::permit;
  using semaphore::try_acquire;

  // Throws std::logic_error, and changes nothing, where more would be given back than were taken.
  void release(std::size_t n = 1);

 private:
  std::size_t bound_;
};

}  // namespace plait
