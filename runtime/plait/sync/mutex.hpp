// Mutual exclusion of the tasks of one scheduler, across their awaits.
//
//     plait::mutex m("accounts");
//     auto const held = co_await m.lock();   // unlocks at the end of the block
//
// First come, first served: unlocking hands the mutex to the task that has waited longest, so that nobody
// can come in between. One scheduler's thread. Locking is a cancel point; a wait that is cancelled leaves no
// hole in the queue. Locking it twice in one task is a deadlock: see recursive_mutex. Between two awaits no
// other task runs, so that what does not await needs no mutex. It must be free when it is destroyed. A
// report of a deadlock takes the task that has locked it for the one that has to unlock it: where that is
// another one, let it go with release(). For the order in which several are locked see lock_order.hpp.
#pragma once

#include <plait/detail/wait_queue.hpp>
#include <plait/sync/lock_order.hpp>
#include <plait/task.hpp>

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

namespace plait {

class mutex {
 public:
  class guard;
  class lock_wait;
  class lock_operation;
  class lock_request;

  // The name is for reports: a literal, or what else outlives the mutex.
  explicit mutex(char const* name = nullptr, lock_level level = {}) noexcept : name_(name), level_(level) {}
  ~mutex() {
    PLAIT_CHECK(!locked(), "a mutex was destroyed while it was locked");
    detail::lock_destroyed(this);
  }
  mutex(mutex const&) = delete;
  mutex& operator=(mutex const&) = delete;

  // co_await it, or select it: gives a guard.
  lock_request lock() noexcept;
  // Empty where it is locked. Reports do not know who holds what was locked so.
  [[nodiscard]] std::optional<guard> try_lock() noexcept;
  bool locked() const noexcept { return holder_ != nullptr; }

  // For a guard that was released; any task may. Unlocking what is not locked stops the program.
  void unlock() noexcept;

 private:
  friend class condition_wait;
  friend class lock_all_base;
  friend class recursive_mutex;
  class awaiter;

  void take(detail::frame_link& holder) noexcept;
  void hand_over() noexcept;
  detail::ordered_lock in_order() noexcept;

  // Null: it is free. Whether the task is still there is not known: it may have given its guard away.
  void const* holder_ = nullptr;
  std::source_location held_at_;
  char const* name_;
  lock_level level_;
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
  [[gnu::always_inline]] ~guard() {
    if (locked_ != nullptr) locked_->unlock();
  }

  void unlock() noexcept { std::exchange(locked_, nullptr)->unlock(); }
  // The mutex stays locked, for someone to unlock it. Reports no longer know who holds it.
  plait::mutex* release() noexcept {
    locked_->holder_ = locked_;
    return std::exchange(locked_, nullptr);
  }
  // What it has locked, or null.
  plait::mutex* held() const noexcept { return locked_; }

 private:
  plait::mutex* locked_;
};

class mutex::lock_wait : public detail::queued_wait {
 public:
  explicit lock_wait(mutex& m) noexcept : mutex_(&m) {}

  bool start(detail::task_state& task) {
    if (scheduler::current().lock_order_checks != 0) [[unlikely]] {
      detail::check_order(mutex_->in_order(), task);
    }
    return start_unchecked(task);
  }
  // For who has looked at the order.
  bool start_unchecked(detail::task_state& task) noexcept {
    if (mutex_->locked()) {
      enqueue(task, mutex_->waiting_);
      return true;
    }
    mutex_->take(*detail::real_task(task).leaf);
    complete_inline(status::done);
    return false;
  }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 protected:
  mutex* mutex_;
};

class mutex::lock_operation final : public lock_wait {
 public:
  using lock_wait::lock_wait;
  guard result() {
    outcome();
    return guard(*mutex_);
  }
};

class [[nodiscard("co_await this: it gives a guard")]] mutex::lock_request {
 public:
  using awaiter_for_plait = awaiter;

  explicit lock_request(mutex& m) noexcept : mutex_(&m) {}
  lock_operation as_operation() const noexcept { return lock_operation(*mutex_); }

 private:
  friend awaiter;

  mutex* mutex_;
};

// What op_awaiter does with a lock_operation, which is made only where it has to wait.
class mutex::awaiter {
 public:
  awaiter(detail::frame_link& frame, lock_request const& request) noexcept
      : mutex_(*request.mutex_), frame_(frame) {}
  ~awaiter() {}

  bool await_ready() const noexcept {
    scheduler& s = scheduler::current();
    if (mutex_.locked() || s.needs_attention() || !s.spend_inline()) [[unlikely]] return false;
    mutex_.take(frame_);
    return true;
  }
  [[gnu::noinline]] bool await_suspend(std::coroutine_handle<>) {
    detail::task_state& task = *frame_.owner;
    scheduler& s = scheduler::current();
    task.leaf = &frame_;
    if (s.needs_attention()) [[unlikely]] return suspend_with_attention(s, task);
    return suspend(s, task);
  }
  guard await_resume() {
    if (waited_) end_of_wait();
    return guard(mutex_);
  }

 private:
  [[gnu::always_inline]] bool suspend(scheduler& s, detail::task_state& task) noexcept {
    waited_ = true;
    if (!std::construct_at(&wait_, mutex_)->start_unchecked(task)) {
      if (s.spend_inline()) return false;
      s.make_ready(frame_);
    }
    s.refill_inline();
    return true;
  }
  [[gnu::cold, gnu::noinline]] bool suspend_with_attention(scheduler& s, detail::task_state& task) {
    if (detail::cancel_pending(s, task)) detail::throw_cancelled(task);
    if (s.lock_order_checks != 0) detail::check_order(mutex_.in_order(), task);
    return suspend(s, task);
  }
  [[gnu::noinline]] void end_of_wait() {
    bool const was_cancelled = wait_.state() == operation::status::cancelled;
    detail::refusal const how = wait_.how();
    std::destroy_at(&wait_);
    if (was_cancelled) [[unlikely]] detail::throw_cancelled(*frame_.owner);
    detail::throw_if(how);
  }

  mutex& mutex_;
  detail::frame_link& frame_;
  bool waited_ = false;
  union {
    lock_operation wait_;
  };
};

inline mutex::lock_request mutex::lock() noexcept { return lock_request(*this); }

inline void mutex::take(detail::frame_link& holder) noexcept {
  holder_ = holder.owner;
  held_at_ = holder.await_at;
}

[[gnu::always_inline]] inline void mutex::unlock() noexcept {
  PLAIT_CHECK(locked(), "a mutex was unlocked that was not locked");
  if (!waiting_.empty()) return hand_over();
  holder_ = nullptr;
}

}  // namespace plait
