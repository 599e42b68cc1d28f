// A mutex that its holder may lock again: it belongs to a task, whichever coroutine of it asks.
//
//     plait::recursive_mutex tree;
//     auto const held = co_await tree.lock();   // free again when the last guard goes
//
// As mutex in all else: first come, first served; a cancel point; one scheduler's thread. Only its holder may
// unlock it: a guard must not go to another task. It must be free when it is destroyed.
#pragma once

#include <plait/sync/mutex.hpp>
#include <plait/task.hpp>

#include <cstddef>
#include <optional>
#include <utility>

namespace plait {

class recursive_mutex {
 public:
  class guard;
  class lock_operation;
  class try_lock_operation;
  class unlock_operation;

  // The name is for reports: a literal, or what else outlives the mutex.
  explicit recursive_mutex(char const* name = nullptr, lock_level level = {}) noexcept
      : inner_(name, level) {}
  recursive_mutex(recursive_mutex const&) = delete;
  recursive_mutex& operator=(recursive_mutex const&) = delete;

  // co_await them. lock gives a guard; try_lock an optional one, without suspending: it is an await because
  // it has to know the task.
  lock_operation lock() noexcept;
  try_lock_operation try_lock() noexcept;
  // Without a guard, or after its release(): takes back one lock, without suspending. Throws
  // std::logic_error where the task does not hold it.
  unlock_operation unlock() noexcept;

  bool locked() const noexcept { return inner_.locked(); }
  // How often its holder has locked it.
  std::size_t depth() const noexcept { return depth_; }

 private:
  friend class condition_wait;

  bool held_by(detail::task_state& task) const noexcept {
    return depth_ != 0 && inner_.holder_ == &detail::real_task(task);
  }
  bool try_take(detail::task_state& task) noexcept {
    if (inner_.locked()) return false;
    inner_.take(*detail::real_task(task).leaf);
    return true;
  }
  void drop() noexcept {
    if (--depth_ == 0) inner_.unlock();
  }

  mutex inner_;
  std::size_t depth_ = 0;
};

class [[nodiscard("the mutex is unlocked when its guard goes")]] recursive_mutex::guard {
 public:
  explicit guard(recursive_mutex& locked) noexcept : locked_(&locked) {}
  guard(guard&& other) noexcept : locked_(std::exchange(other.locked_, nullptr)) {}
  guard& operator=(guard&& other) noexcept {
    std::swap(locked_, other.locked_);
    return *this;
  }
  ~guard() {
    if (locked_ != nullptr) locked_->drop();
  }

  void unlock() noexcept { std::exchange(locked_, nullptr)->drop(); }
  // The mutex stays locked, for the task to unlock it.
  recursive_mutex* release() noexcept { return std::exchange(locked_, nullptr); }
  // What it has locked, or null.
  recursive_mutex* held() const noexcept { return locked_; }

 private:
  recursive_mutex* locked_;
};

class recursive_mutex::lock_operation : public mutex::lock_wait {
 public:
  explicit lock_operation(recursive_mutex& m) noexcept : lock_wait(m.inner_), owned_(&m) {}

  bool start(detail::task_state& task) {
    if (owned_->held_by(task)) {
      complete_inline(status::done);
      return false;
    }
    return lock_wait::start(task);
  }
  guard result() {
    outcome();
    ++owned_->depth_;
    return guard(*owned_);
  }

 private:
  recursive_mutex* owned_;
};

class recursive_mutex::try_lock_operation : public operation {
 public:
  explicit try_lock_operation(recursive_mutex& m) noexcept : mutex_(&m) {}

  bool start(detail::task_state& task) noexcept {
    got_ = mutex_->held_by(task) || mutex_->try_take(task);
    complete_inline(status::done);
    return false;
  }
  std::optional<guard> result() noexcept {
    if (!got_) return std::nullopt;
    ++mutex_->depth_;
    return guard(*mutex_);
  }

 private:
  void cancel() noexcept override {}

  recursive_mutex* mutex_;
  bool got_ = false;
};

// Not a cancel point, or cleanups could not unlock.
class recursive_mutex::unlock_operation : public operation {
 public:
  static constexpr bool ignores_cancel = true;

  explicit unlock_operation(recursive_mutex& m) noexcept : mutex_(&m) {}

  bool start(detail::task_state& task);
  void result() const noexcept {}

 private:
  void cancel() noexcept override {}

  recursive_mutex* mutex_;
};

inline recursive_mutex::lock_operation recursive_mutex::lock() noexcept { return lock_operation(*this); }
inline recursive_mutex::try_lock_operation recursive_mutex::try_lock() noexcept {
  return try_lock_operation(*this);
}
inline recursive_mutex::unlock_operation recursive_mutex::unlock() noexcept {
  return unlock_operation(*this);
}

}  // namespace plait
