// Mutual exclusion of the tasks of one scheduler, across their awaits.
//
//     plait::mutex m("accounts");
//     auto const held = co_await m.lock();   // unlocks at the end of the block
//
// First come, first served: unlocking hands the mutex to the task that has waited longest, so that nobody
// can come in between. One scheduler's thread. Locking is a cancel point; a wait that is cancelled leaves no
// hole in the queue. Locking it twice in one task is a deadlock: see recursive_mutex. Between two awaits no
// other task runs, so that what does not await needs no mutex. It must be free when it is destroyed.
#pragma once

#include <plait/detail/wait_queue.hpp>

#include <optional>
#include <utility>

namespace plait {

class mutex {
 public:
  class guard;
  class lock_operation;

  // The name is for reports: a literal, or what else outlives the mutex.
  explicit mutex(char const* name = nullptr) noexcept : name_(name) {}
  ~mutex() { PLAIT_CHECK(!locked_, "a mutex was destroyed while it was locked"); }
  mutex(mutex const&) = delete;
  mutex& operator=(mutex const&) = delete;

  // co_await it: gives a guard.
  lock_operation lock() noexcept;
  // Empty where it is locked. Reports do not know who holds what was locked so.
  [[nodiscard]] std::optional<guard> try_lock() noexcept;
  bool locked() const noexcept { return locked_; }

  // For a guard that was released; any task may. Unlocking what is not locked stops the program.
  inline void unlock() noexcept;

 private:
  void take(detail::task_state& task) noexcept;

  bool locked_ = false;
  detail::task_state* holder_ = nullptr;
  std::source_location held_at_;
  char const* name_;
  detail::wait_queue waiting_;
};

class [[nodiscard("the mutex is unlocked when its guard goes")]] mutex::guard {
 public:
  explicit guard(mutex& locked) noexcept : locked_(&locked) {}
  guard(guard&& other) noexcept : locked_(std::exchange(other.locked_, nullptr)) {}
  guard& operator=(guard&& other) noexcept {
    std::swap(locked_, other.locked_);
    return *this;
  }
  ~guard() {
    if (locked_ != nullptr) locked_->unlock();
  }

  void unlock() noexcept { std::exchange(locked_, nullptr)->unlock(); }
  // The mutex stays locked, for someone to unlock it.
  mutex* release() noexcept { return std::exchange(locked_, nullptr); }

 private:
  mutex* locked_;
};

class mutex::lock_operation : public detail::queued_wait {
 public:
  explicit lock_operation(mutex& m) noexcept : mutex_(&m) {}

  bool start(detail::task_state& task) noexcept {
    if (mutex_->locked_) {
      enqueue(task, mutex_->waiting_);
      return true;
    }
    mutex_->take(task);
    complete_inline(status::done);
    return false;
  }
  guard result() {
    outcome();
    return guard(*mutex_);
  }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 private:
  mutex* mutex_;
};

inline mutex::lock_operation mutex::lock() noexcept { return lock_operation(*this); }

inline void mutex::take(detail::task_state& task) noexcept {
  locked_ = true;
  detail::task_state& holder = detail::real_task(task);
  holder_ = &holder;
  held_at_ = holder.leaf->await_at;
}

inline void mutex::unlock() noexcept {
  PLAIT_CHECK(locked_, "a mutex was unlocked that was not locked");
  if (waiting_.empty()) {
    locked_ = false;
    holder_ = nullptr;
    return;
  }
  take(waiting_.front().task());
  waiting_.grant_front();
}

}  // namespace plait
