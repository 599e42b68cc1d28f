// Items from task to task, in order: bounded, unbounded, or from hand to hand.
//
//     auto orders = plait::channel<order>::bounded(16);
//     co_await orders.send(next);                          // waits while 16 are on the way
//     for (auto got = co_await orders.receive(); got; got = co_await orders.receive()) handle(*got);
//
// Any number of senders and receivers, each side first come, first served; who waits is handed his
// item, or his place in the buffer, and nobody can come in between. One scheduler's thread.
// Both waits are cancel points and can be cases of a select: who is
// cancelled, or loses, has sent or taken nothing.
//
// `close` ends it: what was accepted is still received, then receivers get std::nullopt. Sending
// throws channel_closed, also where the sender was waiting: its item was not accepted. Nothing is
// allocated but the buffer, at construction, and the growth of an unbounded one. Where T's move
// throws, send or receive throws that, the item stays where it was, and the channel can be used;
// only if it throws on the very way out of receive, the item is lost. Nobody may wait for a channel
// that is destroyed.
#pragma once

#include <plait/channel/closed.hpp>
#include <plait/detail/await_safe.hpp>
#include <plait/detail/quick_awaiter.hpp>
#include <plait/detail/ring.hpp>
#include <plait/detail/wait_queue.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

namespace plait {

namespace detail {

// Where a hand-over puts the exception that T's move threw on the way.
template <class T, bool CanThrow = !std::is_nothrow_move_constructible_v<T>>
struct move_failure {
  void set_current() noexcept { error = std::current_exception(); }
  void rethrow() const {
    if (error != nullptr) std::rethrow_exception(error);
  }
  std::exception_ptr error;
};
template <class T>
struct move_failure<T, false> {
  void set_current() const noexcept {}
  void rethrow() const noexcept {}
};

template <class T>
class channel_sender : public queued_wait {
 public:
  using queued_wait::outcome;
  using queued_wait::was_refused;
  T* item = nullptr;
  [[no_unique_address]] move_failure<T> failure;
};

template <class T>
class channel_receiver : public queued_wait {
 public:
  using queued_wait::outcome;
  using queued_wait::was_refused;
  std::optional<T> item;
};

// The one that has waited longest, or null. A case of a select is no partner for another of its
// cases.
template <class Wait>
Wait* first_waiting(wait_queue& queue, task_state const* select) noexcept {
  if (queue.empty()) return nullptr;
  queued_wait* first = &queue.front();
  if (select != nullptr) [[unlikely]] {
    while (first != nullptr && &first->task() == select) first = queue.after(*first);
  }
  return static_cast<Wait*>(first);
}
inline task_state const* select_of(task_state& waiting) noexcept {
  return waiting.leaf == nullptr ? &real_task(waiting) : nullptr;
}

}  // namespace detail

template <class T>
class channel {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a channel carries values");

 public:
  class send_operation;
  class send_from_operation;
  class receive_operation;

  // The name is for reports: a literal, or what else outlives the channel.
  static channel bounded(std::size_t capacity, char const* name = nullptr) {
    return channel(capacity, capacity, name);
  }
  // Sending never waits.
  static channel unbounded(char const* name = nullptr) {
    return channel(std::numeric_limits<std::size_t>::max(), 0, name);
  }
  // From hand to hand: sending waits until someone receives.
  static channel rendezvous(char const* name = nullptr) { return channel(0, 0, name); }

  channel(channel const&) = delete;
  channel& operator=(channel const&) = delete;
  ~channel() {
    PLAIT_CHECK(senders_.empty() && receivers_.empty(),
                "a channel was destroyed while a task waits for it");
  }

  // co_await it: throws channel_closed where the channel is closed.
  template <class U = T>
    requires std::is_constructible_v<T, U&&> && detail::await_safe<U>
  send_operation send(U&& item) noexcept(std::is_nothrow_constructible_v<T, U&&>) {
    return send_operation(*this, std::forward<U>(item));
  }
  // The same, out of a variable of the caller's, which keeps its value where nothing was sent: as
  // the case of a select that loses.
  send_from_operation send_from(T& item) noexcept { return send_from_operation(*this, item); }
  // co_await it: gives std::optional<T>, empty where the channel is closed and drained.
  receive_operation receive() noexcept { return receive_operation(*this); }

  // Without waiting. False: there is no room, and `item` is untouched. Throws channel_closed.
  [[nodiscard]] bool try_send(T&& item) { return send_now(item, nullptr); }
  [[nodiscard]] bool try_send(T const& item)
    requires std::is_copy_constructible_v<T>
  {
    if (!closed_ && receivers_.empty() && items_.size() >= limit_) return false;
    T copy(item);
    return send_now(copy, nullptr);
  }
  // Empty where nothing is there, or will be.
  [[nodiscard]] std::optional<T> try_receive() {
    std::optional<T> item;
    receive_now(item, nullptr);
    return item;
  }

  // Calls fn(item) for each item until the channel is closed and drained, and awaits what it gives,
  // where that is a task.
  template <class Fn>
    requires detail::await_safe<Fn> && std::is_invocable_v<std::decay_t<Fn>&, T>
  task<> for_each(Fn&& fn) {
    return each(*this, std::decay_t<Fn>(std::forward<Fn>(fn)));
  }

  // Again: nothing.
  void close() noexcept {
    closed_ = true;
    receivers_.refuse_all(detail::refusal::closed);
    senders_.refuse_all(detail::refusal::closed);
  }
  bool closed() const noexcept { return closed_; }

  std::size_t size() const noexcept { return items_.size(); }  // in the buffer
  std::size_t capacity() const noexcept { return limit_; }
  char const* name() const noexcept { return name_; }

 private:
  using sender = detail::channel_sender<T>;
  using receiver = detail::channel_receiver<T>;

  channel(std::size_t limit, std::size_t room, char const* name)
      : items_(room), limit_(limit), name_(name) {}

  // Inlined where an await begins: most of them end here.
  [[gnu::always_inline]] bool send_now(T& item, detail::task_state const* select) {
    if (closed_) [[unlikely]] detail::throw_channel_closed();
    if (auto* const waiting = detail::first_waiting<receiver>(receivers_, select)) {
      waiting->item.emplace(std::move(item));
      waiting->grant();
      return true;
    }
    if (items_.size() >= limit_) return false;
    if (items_.full()) [[unlikely]] items_.grow();
    items_.push(std::move(item));
    return true;
  }

  [[gnu::always_inline]] bool receive_now(std::optional<T>& into,
                                          detail::task_state const* select) {
    if (!items_.empty()) {
      into.emplace(std::move(items_.front()));
      items_.pop();
      if (!senders_.empty()) let_one_in(select);
      return true;
    }
    if (auto* const waiting = detail::first_waiting<sender>(senders_, select)) {
      into.emplace(std::move(*waiting->item));
      waiting->grant();
      return true;
    }
    return closed_;
  }

  // One that waits for room gets it.
  void let_one_in(detail::task_state const* select) noexcept {
    while (auto* const waiting = detail::first_waiting<sender>(senders_, select)) {
      bool const accepted = accept(*waiting);
      waiting->grant();
      if (accepted) return;
    }
  }
  bool accept(sender& waiting) noexcept {
    if constexpr (std::is_nothrow_move_constructible_v<T>) {
      items_.push(std::move(*waiting.item));
    } else {
      try {
        items_.push(std::move(*waiting.item));
      } catch (...) {
        waiting.failure.set_current();
        return false;
      }
    }
    return true;
  }

  template <class Fn>
  static task<> each(channel& from, Fn fn) {
    for (std::optional<T> item = co_await from.receive(); item; item = co_await from.receive()) {
      if constexpr (task_function<Fn&, T>) {
        co_await std::invoke(fn, std::move(*item));
      } else {
        std::invoke(fn, std::move(*item));
      }
    }
  }

  detail::ring<T> items_;
  std::size_t limit_;
  bool closed_ = false;
  char const* name_;
  detail::wait_queue senders_;    // for room; while there is none
  detail::wait_queue receivers_;  // for items; while there is none
};

// Sends what a variable of the caller's holds.
template <class T>
class [[nodiscard("co_await this: it sends nothing before")]] channel<T>::send_from_operation
    : public detail::channel_sender<T> {
 public:
  using awaiter_for_plait = detail::quick_awaiter<send_from_operation>;

  send_from_operation(channel& to, T& item) noexcept : to_(&to) { this->item = &item; }

  bool start_at_once() {
    if (!to_->send_now(*this->item, nullptr)) return false;
    this->complete_inline(operation::status::done);
    return true;
  }
  bool start(detail::task_state& task) {
    return this->enqueue_unless(to_->send_now(*this->item, detail::select_of(task)), task,
                                to_->senders_);
  }
  void result() const {
    if (this->was_refused()) [[unlikely]] {
      if (this->outcome() == detail::refusal::closed) detail::throw_channel_closed();
    }
    this->failure.rethrow();
  }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override {
    return this->describe(n, into, "send", to_->name_, to_);
  }

 private:
  channel* to_;
};

// Sends an item of its own.
template <class T>
class [[nodiscard("co_await this: it sends nothing before")]] channel<T>::send_operation
    : public send_from_operation {
 public:
  using awaiter_for_plait = detail::quick_awaiter<send_operation>;

  template <class U>
  send_operation(channel& to, U&& value) noexcept(std::is_nothrow_constructible_v<T, U&&>)
      : send_from_operation(to, value_), value_(std::forward<U>(value)) {}
  send_operation(send_operation&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
      : send_from_operation(std::move(other)), value_(std::move(other.value_)) {
    this->item = &value_;
  }

 private:
  T value_;
};

template <class T>
class [[nodiscard("co_await this: it receives nothing before")]] channel<T>::receive_operation
    : public detail::channel_receiver<T> {
 public:
  using awaiter_for_plait = detail::quick_awaiter<receive_operation>;

  explicit receive_operation(channel& from) noexcept : from_(&from) {}

  bool start_at_once() {
    if (!from_->receive_now(this->item, nullptr)) return false;
    this->complete_inline(operation::status::done);
    return true;
  }
  bool start(detail::task_state& task) {
    return this->enqueue_unless(from_->receive_now(this->item, detail::select_of(task)), task,
                                from_->receivers_);
  }
  std::optional<T> result() {
    if (this->was_refused()) [[unlikely]] this->outcome();
    return std::move(this->item);
  }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override {
    return this->describe(n, into, "receive", from_->name_, from_);
  }

 private:
  channel* from_;
};

}  // namespace plait
