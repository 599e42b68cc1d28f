// A condition variable: waits for something that a mutex guards to change.
//
//     auto held = co_await m.lock();
//     co_await changed.wait(held, [&] { return !jobs.empty(); });   // unlocked meanwhile
//
// wait() unlocks the mutex (a recursive one however often it is locked), suspends, and has locked it again
// in the same way when it ends: also where it ends by `cancelled`, a timeout or an error. First come, first
// served. A notification never goes to a task whose wait was cancelled before; one that is cancelled while
// it waits for the mutex again has been notified, and returns. So wait() may return later than its
// timeout. One scheduler's thread. Notifying needs no lock. Nobody may wait when it is destroyed.
#pragma once

#include <plait/detail/await_safe.hpp>
#include <plait/detail/wait_queue.hpp>
#include <plait/sync/mutex.hpp>
#include <plait/sync/recursive_mutex.hpp>
#include <plait/task.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace plait {

class condition_wait;

class condition {
 public:
  // The name is for reports: a literal, or what else outlives the condition.
  explicit condition(char const* name = nullptr) noexcept : name_(name) {}
  condition(condition const&) = delete;
  condition& operator=(condition const&) = delete;

  // co_await them. Throw std::logic_error where the guard holds nothing.
  condition_wait wait(mutex::guard& guard) noexcept;
  condition_wait wait(recursive_mutex::guard& guard) noexcept;
  // Until pred() holds; it is asked first, and whenever the mutex is locked again.
  template <class Guard, class Pred>
    requires detail::await_safe<Pred>
  task<> wait(Guard& held, Pred pred);

  // Wakes those that have waited longest: each goes on when it has the mutex.
  void notify(std::size_t n = 1) noexcept;
  void notify_all() noexcept;
  std::size_t n_waiting() const noexcept { return waiting_.size(); }

 private:
  friend class condition_wait;

  char const* name_;
  detail::wait_queue waiting_;
};

//   waiting --notify, cancel, deadlock--> relocking --has the mutex--> done or cancelled
class condition_wait : public detail::queued_wait {
 public:
  static constexpr bool claimable = false;  // it ends when it has the mutex again

  explicit condition_wait(condition& of, mutex* m, recursive_mutex* recursive) noexcept
      : condition_(&of), mutex_(m), recursive_(recursive) {}
  condition_wait(condition_wait&& other) noexcept
      : queued_wait(std::move(other)),
        condition_(other.condition_),
        mutex_(other.mutex_),
        recursive_(other.recursive_) {}

  bool start(detail::task_state& task);
  void result() const { outcome(); }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;
  bool refuse_deadlock() noexcept override;

 private:
  friend class condition;

  struct relocker : detail::stand_in {
    explicit relocker(condition_wait& of_wait, detail::task_state& task) noexcept
        : stand_in(&relocked, task), of(&of_wait) {}
    condition_wait* of;
  };

  void cancel() noexcept override;
  void relock() noexcept;
  void look_at_order();
  void end() noexcept;
  static void relocked(detail::root_frame* which);
  static mutex& inner_of(recursive_mutex& m) noexcept { return m.inner_; }

  condition* condition_;
  mutex* mutex_;
  recursive_mutex* recursive_;  // whose inner mutex that is, or null
  std::size_t depth_ = 0;
  bool cancelled_ = false;
  std::optional<relocker> relocker_;
  std::optional<mutex::lock_operation> relock_;
};

inline condition_wait condition::wait(mutex::guard& guard) noexcept {
  return condition_wait(*this, guard.held(), nullptr);
}

template <class Guard, class Pred>
  requires detail::await_safe<Pred>
task<> condition::wait(Guard& held, Pred pred) {
  while (!pred()) co_await wait(held);
}

}  // namespace plait
