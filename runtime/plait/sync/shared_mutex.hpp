// A lock that many may share to read, or one may hold to write: for the tasks of one scheduler.
//
//     auto const reading = co_await m.lock_shared();
//     auto const writing = co_await m.lock();
//
// First come, first served, readers and writers in one queue: readers that come while a writer waits wait
// behind it, and go together when it is their turn, so that neither starves the other. For the same reason a
// task that shares it and asks again while a writer waits is in a deadlock. One scheduler's thread. Locking
// is a cancel point; a wait that is cancelled leaves no hole in the queue. It must be free when it is
// destroyed.
#pragma once

#include <plait/detail/wait_queue.hpp>
#include <plait/sync/lock_order.hpp>

#include <cstddef>
#include <optional>
#include <source_location>
#include <utility>

namespace plait {

namespace detail {

// One that shares a lock, in the ring of all who do: in the guard.
class reader_link {
 public:
  reader_link() noexcept = default;
  reader_link(reader_link&& other) noexcept : holder(other.holder), at(other.at) {
    if (other.is_linked()) take_place_of(other);
  }
  reader_link& operator=(reader_link&&) = delete;
  ~reader_link() { unlink(); }

  bool is_linked() const noexcept { return next_ != this; }
  void link_before(reader_link& other) noexcept {
    next_ = &other;
    previous_ = std::exchange(other.previous_, this);
    previous_->next_ = this;
  }
  void unlink() noexcept {
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = this;
  }
  reader_link const* next() const noexcept { return next_; }

  task_state* holder = nullptr;
  std::source_location at;

 private:
  void take_place_of(reader_link& other) noexcept {
    link_before(other);
    other.unlink();
  }

  reader_link* next_ = this;
  reader_link* previous_ = this;
};

}  // namespace detail

class shared_mutex {
 public:
  class guard;
  class shared_guard;
  class lock_operation;
  class lock_shared_operation;

  // The name is for reports: a literal, or what else outlives the mutex.
  explicit shared_mutex(char const* name = nullptr, lock_level level = {}) noexcept
      : name_(name), level_(level) {}
  ~shared_mutex() {
    PLAIT_CHECK(!locked_ && readers_ == 0, "a shared mutex was destroyed while it was locked");
    detail::lock_destroyed(this);
  }
  shared_mutex(shared_mutex const&) = delete;
  shared_mutex& operator=(shared_mutex const&) = delete;

  // co_await them: they give guards.
  lock_operation lock() noexcept;
  lock_shared_operation lock_shared() noexcept;
  // Empty where it is locked, or others wait for it. Reports do not know who holds what was locked so.
  [[nodiscard]] std::optional<guard> try_lock() noexcept;
  [[nodiscard]] std::optional<shared_guard> try_lock_shared() noexcept;

  bool locked() const noexcept { return locked_; }  // by a writer
  std::size_t readers() const noexcept { return readers_; }

  // For guards that were released; any task may. Unlocking what is not locked stops the program.
  void unlock() noexcept;
  void unlock_shared() noexcept;

 private:
  class wait;

  void take(detail::task_state& task) noexcept;
  void take_shared(detail::task_state& task, detail::reader_link& link) noexcept;
  void serve() noexcept;
  void look_at_order(detail::task_state& task);
  bool is_held_by(detail::task_state const* task) const noexcept;

  bool locked_ = false;
  std::size_t readers_ = 0;
  detail::task_state* holder_ = nullptr;  // of a writer
  std::source_location held_at_;
  detail::reader_link known_readers_;  // the ring's beginning
  char const* name_;
  lock_level level_;
  detail::wait_queue waiting_;
};

class [[nodiscard("the mutex is unlocked when its guard goes")]] shared_mutex::guard {
 public:
  explicit guard(shared_mutex& locked) noexcept : locked_(&locked) {}
  guard(guard&& other) noexcept : locked_(std::exchange(other.locked_, nullptr)) {}
  guard& operator=(guard&& other) noexcept {
    std::swap(locked_, other.locked_);
    return *this;
  }
  ~guard() {
    if (locked_ != nullptr) locked_->unlock();
  }

  void unlock() noexcept { std::exchange(locked_, nullptr)->unlock(); }
  // The mutex stays locked, for someone to unlock it. Reports no longer know who holds it.
  shared_mutex* release() noexcept;

 private:
  shared_mutex* locked_;
};

class [[nodiscard("the mutex is unlocked when its guard goes")]] shared_mutex::shared_guard {
 public:
  explicit shared_guard(shared_mutex& shared, detail::reader_link&& link) noexcept
      : shared_(&shared), link_(std::move(link)) {}
  shared_guard(shared_guard&& other) noexcept
      : shared_(std::exchange(other.shared_, nullptr)), link_(std::move(other.link_)) {}
  shared_guard& operator=(shared_guard&&) = delete;
  ~shared_guard() {
    if (shared_ != nullptr) unlock();
  }

  void unlock() noexcept;
  // It stays shared, for someone to unlock it. Reports no longer know who holds it.
  shared_mutex* release() noexcept;

 private:
  shared_mutex* shared_;
  detail::reader_link link_;
};

class shared_mutex::wait : public detail::queued_wait {
 public:
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 protected:
  explicit wait(shared_mutex& m, bool writes) noexcept : mutex_(&m), writes_(writes) {}
  wait(wait&&) noexcept = default;

  shared_mutex* mutex_;
  detail::reader_link link_;

 private:
  friend class shared_mutex;
  void withdrawn() noexcept override { mutex_->serve(); }

  bool writes_;
};

class shared_mutex::lock_operation : public wait {
 public:
  explicit lock_operation(shared_mutex& m) noexcept : wait(m, true) {}
  bool start(detail::task_state& task);
  guard result() {
    outcome();
    return guard(*mutex_);
  }
};

class shared_mutex::lock_shared_operation : public wait {
 public:
  explicit lock_shared_operation(shared_mutex& m) noexcept : wait(m, false) {}
  bool start(detail::task_state& task);
  shared_guard result() {
    outcome();
    return shared_guard(*mutex_, std::move(link_));
  }
};

inline shared_mutex::lock_operation shared_mutex::lock() noexcept { return lock_operation(*this); }
inline shared_mutex::lock_shared_operation shared_mutex::lock_shared() noexcept {
  return lock_shared_operation(*this);
}

}  // namespace plait
