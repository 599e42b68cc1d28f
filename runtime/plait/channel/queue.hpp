// Work for whoever takes it: between the tasks of any schedulers and plain threads, all at once.
//
//     plait::queue<job> jobs(16);                     // at most 16 wait in it; 0, the default: any number
//     co_await jobs.put(next);                        // a task
//     jobs.blocking_put(next);                        // a plain thread
//     for (auto one = co_await jobs.get(); one; one = co_await jobs.get()) {
//       handle(*one);
//       jobs.task_done();
//     }
//     co_await jobs.join();                           // until everything that was put has been done
//     jobs.close();
//
// queue gives the oldest item first, lifo_queue the newest, priority_queue the smallest, by Compare, and of
// equal ones the oldest. Every member may be called from any thread. Putters and getters are served first
// come, first served, and who waits is handed what it waits for. A wait of a task is a cancel point: who is
// cancelled has put or taken nothing, and what was handed over before is delivered. A wait of a thread has an
// optional timeout, and throws timed_out; on a scheduler's thread it throws std::logic_error, for all its
// tasks would stand still. Not a case of a select: another thread cannot decide a race of this one.
//
// Each item that was put counts as unfinished until task_done() has been called for it; join() waits until
// none is. `close` ends the putting: what is in the queue is still given, then getters get std::nullopt;
// putting throws channel_closed, also where it was waiting. `close_now` throws away what is there as well.
//
// One lock, held while an item is moved, so T's move must not throw, nor may Compare. Nothing is allocated
// but the growth of the store, and where that fails, put throws std::bad_alloc and nothing was put. Nobody
// may wait for a queue that is destroyed. After Python's queue module.
#pragma once

#include <plait/cancel.hpp>
#include <plait/channel/closed.hpp>
#include <plait/detail/await_safe.hpp>
#include <plait/detail/queue_stores.hpp>
#include <plait/detail/quick_awaiter.hpp>
#include <plait/detail/shared_wait.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace plait {

namespace detail {

// What does not depend on the items.
class queue_base {
 public:
  class join_operation;

  queue_base(std::size_t limit, char const* name) noexcept : limit_(limit), name_(name) {}
  queue_base(queue_base const&) = delete;
  queue_base& operator=(queue_base const&) = delete;
  ~queue_base();

  // An item that was put is done. Throws std::logic_error where more are said to be done than were put.
  void task_done();

  // co_await it: until no item is unfinished.
  join_operation join() noexcept;
  void blocking_join(duration timeout = duration::max());

  // Again: nothing.
  void close() noexcept;
  bool closed() const noexcept;
  std::size_t unfinished() const noexcept;
  std::size_t max_size() const noexcept { return limit_; }  // 0: none
  char const* name() const noexcept { return name_; }

 protected:
  struct join_waiter : shared_waiter {
   protected:
    ~join_waiter() = default;
  };

  bool has_room(std::size_t size) const noexcept { return limit_ == 0 || size < limit_; }
  void finish(std::size_t items, wake_list& told) noexcept;
  void refuse_all(wake_list& told) noexcept;
  [[noreturn]] static void throw_timed_out(duration timeout);

  mutable std::mutex lock_;
  shared_line getters_{lock_};  // while the store is empty
  shared_line putters_{lock_};  // while it is full
  shared_line joiners_{lock_};
  std::size_t unfinished_ = 0;
  bool closed_ = false;

 private:
  std::size_t limit_;
  char const* name_;
};

class [[nodiscard("co_await this: it waits for nothing before")]] queue_base::join_operation final
    : public task_wait<join_waiter> {
 public:
  using awaiter_for_plait = quick_awaiter<join_operation>;

  explicit join_operation(queue_base& of) noexcept : of_(&of) {}
  bool start_at_once() { return begin_unless_done(nullptr); }
  bool start(task_state& task) { return !begin_unless_done(&task); }
  void result() const noexcept {}
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 private:
  bool begin_unless_done(task_state* task);

  queue_base* of_;
};

}  // namespace detail

// What queue, lifo_queue and priority_queue are. Store: push, which may allocate, take, size; see there.
template <class T, class Store>
class basic_queue : public detail::queue_base {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a queue carries values");
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "a queue moves its items from thread to thread, and their move must not throw: put a "
                "std::unique_ptr of them");

 public:
  using value_type = T;
  class put_operation;
  class get_operation;

  // At most max_size items wait in it; 0: any number. The name is for reports: a literal, or what else
  // outlives the queue.
  explicit basic_queue(std::size_t max_size = 0, char const* name = nullptr) : queue_base(max_size, name) {}

  // co_await it: throws channel_closed where the queue is closed.
  template <class U = T>
    requires std::is_constructible_v<T, U&&> && detail::await_safe<U>
  put_operation put(U&& item) noexcept(std::is_nothrow_constructible_v<T, U&&>) {
    return put_operation(*this, std::forward<U>(item));
  }
  // co_await it: gives std::optional<T>, empty where the queue is closed and drained.
  get_operation get() noexcept { return get_operation(*this); }

  // Without waiting. False: there is no room, and `item` is untouched. Throws channel_closed.
  [[nodiscard]] bool try_put(T&& item) {
    detail::wake_list told;
    std::lock_guard const guard(lock_);
    return put_now(item, told);
  }
  // Empty where nothing is there, or will be.
  [[nodiscard]] std::optional<T> try_get() {
    std::optional<T> item;
    detail::wake_list told;
    std::lock_guard const guard(lock_);
    static_cast<void>(get_now(item, told));
    return item;
  }

  // For plain threads. Throws channel_closed; timed_out where there was no room in time: nothing was put.
  void blocking_put(T item, duration timeout = duration::max());
  // Empty where the queue is closed and drained. Throws timed_out where nothing came in time.
  std::optional<T> blocking_get(duration timeout = duration::max());

  // What most takers do: calls fn(item) for each item until the queue is closed and drained, awaits what it
  // gives, where that is a task, and says task_done, also where fn throws, which comes out.
  template <class Fn>
    requires detail::await_safe<Fn> && std::is_invocable_v<std::decay_t<Fn>&, T>
  task<> for_each(Fn&& fn) {
    return each(*this, std::decay_t<Fn>(std::forward<Fn>(fn)));
  }

  // Closes it and throws away what is there, which counts as done; gives how many these were.
  std::size_t close_now() noexcept {
    Store dropped;
    detail::wake_list told;
    std::lock_guard const guard(lock_);
    using std::swap;
    swap(dropped, store_);
    refuse_all(told);
    finish(dropped.size(), told);
    return dropped.size();
  }

  // These say what was so when they looked.
  std::size_t size() const noexcept {
    std::lock_guard const guard(lock_);
    return store_.size();
  }
  bool empty() const noexcept { return size() == 0; }
  bool full() const noexcept { return !has_room(size()); }

 private:
  struct putter : detail::shared_waiter {
    template <class... Args>
    explicit putter(std::in_place_t, Args&&... args) : item(std::forward<Args>(args)...) {}
    putter(putter&&) = default;
    T item;

   protected:
    ~putter() = default;
  };
  struct getter : detail::shared_waiter {
    getter() = default;
    getter(getter&&) = default;
    std::optional<T> item;

   protected:
    ~getter() = default;
  };

  // The rest with the lock. False: the store is full.
  bool put_now(T& item, detail::wake_list& told) {
    if (closed_) [[unlikely]] detail::throw_channel_closed();
    if (!getters_.empty()) {
      auto& waiting = static_cast<getter&>(getters_.front());
      waiting.item.emplace(std::move(item));
      told.let_go(waiting);
    } else if (has_room(store_.size())) {
      store_.push(std::move(item));
    } else {
      return false;
    }
    ++unfinished_;
    return true;
  }
  // False: nothing is there, and something may come.
  bool get_now(std::optional<T>& into, detail::wake_list& told) noexcept {
    if (store_.size() == 0) return closed_;
    into.emplace(store_.take());
    if (!putters_.empty()) {  // there is room for one, and for want of it nothing is allocated
      auto& waiting = static_cast<putter&>(putters_.front());
      store_.push(std::move(waiting.item));
      ++unfinished_;
      told.let_go(waiting);
    }
    return true;
  }

  template <class Fn>
  static task<> each(basic_queue& from, Fn fn) {
    for (std::optional<T> item = co_await from.get(); item; item = co_await from.get()) {
      std::exception_ptr failure;
      try {
        if constexpr (task_function<Fn&, T>) {
          co_await std::invoke(fn, std::move(*item));
        } else {
          std::invoke(fn, std::move(*item));
        }
      } catch (...) {
        failure = std::current_exception();
      }
      from.task_done();
      if (failure != nullptr) std::rethrow_exception(failure);
    }
  }

  Store store_;
};

template <class T, class Store>
class [[nodiscard("co_await this: it puts nothing before")]] basic_queue<T, Store>::put_operation final
    : public detail::task_wait<putter> {
 public:
  using awaiter_for_plait = detail::quick_awaiter<put_operation>;

  template <class U>
  put_operation(basic_queue& into, U&& value)
      : detail::task_wait<putter>(std::in_place, std::in_place, std::forward<U>(value)), into_(&into) {}
  put_operation(put_operation&&) = default;

  bool start_at_once() { return begin_unless_done(nullptr); }
  bool start(detail::task_state& task) { return !begin_unless_done(&task); }
  void result() const {
    if (this->was_refused()) [[unlikely]] detail::throw_channel_closed();
  }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override {
    return this->describe(n, into, "put", into_->name(), into_);
  }

 private:
  bool begin_unless_done(detail::task_state* task) {
    auto const done = [this](detail::wake_list& told) { return into_->put_now(this->item, told); };
    return this->begin_unless(done, task, into_->putters_);
  }

  basic_queue* into_;
};

template <class T, class Store>
class [[nodiscard("co_await this: it takes nothing before")]] basic_queue<T, Store>::get_operation final
    : public detail::task_wait<getter> {
 public:
  using awaiter_for_plait = detail::quick_awaiter<get_operation>;

  explicit get_operation(basic_queue& from) noexcept : from_(&from) {}
  get_operation(get_operation&&) = default;

  bool start_at_once() { return begin_unless_done(nullptr); }
  bool start(detail::task_state& task) { return !begin_unless_done(&task); }
  std::optional<T> result() noexcept { return std::move(this->item); }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override {
    return this->describe(n, into, "get", from_->name(), from_);
  }

 private:
  bool begin_unless_done(detail::task_state* task) {
    auto const done = [this](detail::wake_list& told) { return from_->get_now(this->item, told); };
    return this->begin_unless(done, task, from_->getters_);
  }

  basic_queue* from_;
};

template <class T, class Store>
void basic_queue<T, Store>::blocking_put(T item, duration timeout) {
  detail::thread_parking::refuse_on_a_scheduler("queue: blocking_put", "put()");
  detail::thread_wait<putter> waiting(std::in_place, std::move(item));
  detail::wake_list told;
  std::unique_lock guard(lock_);
  if (put_now(waiting.item, told)) return;
  if (!waiting.wait(guard, putters_, timeout)) throw_timed_out(timeout);
  if (waiting.was_refused()) detail::throw_channel_closed();
}

template <class T, class Store>
std::optional<T> basic_queue<T, Store>::blocking_get(duration timeout) {
  detail::thread_parking::refuse_on_a_scheduler("queue: blocking_get", "get()");
  detail::thread_wait<getter> waiting;
  detail::wake_list told;
  std::unique_lock guard(lock_);
  if (!get_now(waiting.item, told) && !waiting.wait(guard, getters_, timeout)) throw_timed_out(timeout);
  return std::move(waiting.item);
}

template <class T>
using queue = basic_queue<T, detail::fifo_store<T>>;
template <class T>
using lifo_queue = basic_queue<T, detail::lifo_store<T>>;
template <class T, class Compare = std::less<T>>
using priority_queue = basic_queue<T, detail::priority_store<T, Compare>>;

}  // namespace plait
