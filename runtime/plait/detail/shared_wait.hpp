// Waiting for what several threads share: tasks of any scheduler and plain threads, in one line.
//
// Whoever gives something up does so under the lock of what is shared, and hands it over there and then, as
// the primitives of one scheduler do (wait_queue.hpp): who is taken out of the line has what it came for.
// Only then does the news travel, and for a task that is a call to its scheduler:
//
//             enqueue                 let_go, any thread              the call arrives
//      idle -----------> in the line -------------------> on its way ------------------> done
//                            |                               |
//                            | cancel, its own thread        | cancel: too late, what was handed over
//                            v                               v is delivered
//                        cancelled
//
// So nothing is lost, nothing has to be passed on, and no one comes in between. A waiter that is on its way
// is referred to by the call; the task stays suspended until that has run.
#pragma once

#include <plait/clock.hpp>
#include <plait/detail/wait_queue.hpp>
#include <plait/operation.hpp>
#include <plait/scheduler.hpp>

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>

namespace plait::detail {

// One that waits. All but `arrive` of a task is guarded by the lock of what it waits for.
class shared_waiter : public remote_call, private wait_link {
 public:
  bool was_refused() const noexcept { return refused_; }  // by a close; after its wait

 protected:
  shared_waiter() noexcept : remote_call(&run_arrive), wait_link() {}
  shared_waiter(shared_waiter&&) noexcept : shared_waiter() {}  // before it waits
  ~shared_waiter() = default;

  // Of a task: on its scheduler's thread. Of a thread: under the lock.
  virtual void arrive() noexcept = 0;

  // Out of the line, by itself or by whoever lets it go.
  void leave_line() noexcept {
    wait_link::next->previous = previous;
    previous->next = wait_link::next;
    in_line_ = false;
  }

  scheduler* home_ = nullptr;  // of a task
  bool in_line_ = false;

 private:
  friend class shared_line;
  friend class wake_list;
  static void run_arrive(remote_call& call) noexcept { static_cast<shared_waiter&>(call).arrive(); }

  bool refused_ = false;
};

// First come, first served. Guarded by the lock that it is given.
class shared_line {
 public:
  explicit shared_line(std::mutex& lock) noexcept : lock_(&lock) {}
  shared_line(shared_line const&) = delete;
  shared_line& operator=(shared_line const&) = delete;

  bool empty() const noexcept { return ring_.next == &ring_; }
  shared_waiter& front() noexcept { return static_cast<shared_waiter&>(*ring_.next); }
  void push_back(shared_waiter& waiter) noexcept;
  std::mutex& lock() const noexcept { return *lock_; }

 private:
  wait_link ring_{&ring_, &ring_};
  std::mutex* lock_;
};

// Those that are let go while a lock is held, and told when it is free again: declare it before the guard.
class wake_list {
 public:
  wake_list() noexcept = default;
  wake_list(wake_list const&) = delete;
  wake_list& operator=(wake_list const&) = delete;
  ~wake_list();

  void let_go(shared_waiter& waiter) noexcept { take(waiter, false); }
  void refuse_all(shared_line& line) noexcept {
    while (!line.empty()) take(line.front(), true);
  }
  void let_all_go(shared_line& line) noexcept {
    while (!line.empty()) take(line.front(), false);
  }

 private:
  void take(shared_waiter& waiter, bool refused) noexcept;

  wait_link* first_ = nullptr;
  wait_link** last_ = &first_;
};

// A task that waits. Waiter: a shared_waiter with what is handed over.
template <class Waiter>
class task_wait : public operation, public Waiter {
 protected:
  task_wait() = default;
  task_wait(task_wait&&) = default;
  template <class... Args>
  explicit task_wait(std::in_place_t, Args&&... args) : Waiter(std::forward<Args>(args)...) {}
  ~task_wait() = default;

  // Whether it is done at once, as now(told) says under the lock; else `task` waits in the line, where one is
  // given.
  template <class Now>
  bool begin_unless(Now const& now, task_state* task, shared_line& line) {
    wake_list told;
    std::lock_guard const guard(line.lock());
    bool const done = now(told);
    if (done) {
      complete_inline(status::done);
    } else if (task != nullptr) {
      begin(*task);
      lock_ = &line.lock();
      this->home_ = &scheduler::current();
      line.push_back(*this);
    }
    return done;
  }

  // For waits_for(): a wait that another thread may end.
  static bool describe(std::size_t n, wait_info& into, char const* what, char const* name,
                       void const* object) noexcept {
    if (n == 0) into = wait_info{.what = what, .name = name, .object = object};
    return n == 0;
  }

 private:
  void arrive() noexcept override { complete(status::done); }
  void cancel() noexcept override {
    {
      std::lock_guard const guard(*lock_);
      if (!this->in_line_) return;
      this->leave_line();
    }
    complete(status::cancelled);
  }

  std::mutex* lock_ = nullptr;  // the line's; the line itself is not known without it
};

// How a plain thread waits: not at all on a scheduler's thread, whose tasks would stand still.
class thread_parking {
 public:
  // `call` for the message: "queue: blocking_get".
  static void refuse_on_a_scheduler(char const* call, char const* instead);

  void wake() noexcept { come_.notify_one(); }
  // False: the time is over, max() being never, and it still stands in the line.
  bool wait(std::unique_lock<std::mutex>& lock, bool const& in_line, duration timeout);

 private:
  std::condition_variable come_;
};

template <class Waiter>
class thread_wait : public Waiter {
 public:
  using Waiter::Waiter;
  ~thread_wait() = default;

  // With the lock, which it gives up meanwhile. False: the time is over, and it has left the line.
  bool wait(std::unique_lock<std::mutex>& lock, shared_line& line, duration timeout) {
    line.push_back(*this);
    if (parking_.wait(lock, this->in_line_, timeout)) return true;
    this->leave_line();
    return false;
  }

 private:
  void arrive() noexcept override { parking_.wake(); }
  thread_parking parking_;
};

}  // namespace plait::detail
