// A value that changes, and tasks that want to know its latest state: a configuration, a leader, a level.
//
//     plait::watch<config> settings(initial);
//     auto seen = settings.subscribe();
//     for (bool more = co_await seen.changed(); more; more = co_await seen.changed()) apply(seen.value());
//
// A receiver sees the latest value, and not each one on the way to it: who must see all takes a channel or a
// broadcast. Sending never waits. One scheduler's thread; nothing is allocated. Waiting is a cancel point and
// can be a case of a select: who is cancelled, or loses, has seen nothing. After close() what is new is still
// seen. Receivers must be gone when the watch is destroyed.
#pragma once

#include <plait/detail/await_safe.hpp>
#include <plait/detail/news_wait.hpp>
#include <plait/task.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace plait {

template <class T>
class watch {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a watch holds a value");

 public:
  class receiver;

  // The name is for reports: a literal, or what else outlives the watch.
  explicit watch(T initial, char const* name = nullptr) noexcept(std::is_nothrow_move_constructible_v<T>)
      : value_(std::move(initial)), name_(name) {}
  watch(watch const&) = delete;
  watch& operator=(watch const&) = delete;
  ~watch() { PLAIT_CHECK(receivers_ == 0, "a watch was destroyed while it has receivers"); }

  void send(T value) noexcept(std::is_nothrow_move_assignable_v<T>) {
    value_ = std::move(value);
    tell();
  }
  // fn(T&) changes it. Where it throws nobody is told.
  template <class Fn>
    requires std::is_invocable_v<Fn, T&>
  void modify(Fn&& fn) {
    std::invoke(std::forward<Fn>(fn), value_);
    tell();
  }
  // There will be nothing new. Again: nothing.
  void close() noexcept {
    closed_ = true;
    waiting_.grant_all();
  }
  bool closed() const noexcept { return closed_; }

  T const& value() const noexcept { return value_; }
  std::uint64_t version() const noexcept { return version_; }  // counts what was sent
  std::size_t receivers() const noexcept { return receivers_; }

  // It has seen the value of now.
  [[nodiscard]] receiver subscribe() noexcept { return receiver(*this); }

 private:
  void tell() noexcept {
    ++version_;
    waiting_.grant_all();
  }

  T value_;
  std::uint64_t version_ = 0;
  std::size_t receivers_ = 0;
  bool closed_ = false;
  char const* name_;
  detail::wait_queue waiting_;
};

// One task's view. It must not be moved while it waits.
template <class T>
class watch<T>::receiver {
 public:
  explicit receiver(watch& of) noexcept : of_(&of), seen_(of.version_) { ++of.receivers_; }
  receiver(receiver&& other) noexcept : of_(std::exchange(other.of_, nullptr)), seen_(other.seen_) {}
  receiver& operator=(receiver&&) = delete;
  ~receiver() {
    if (of_ != nullptr) --of_->receivers_;
  }

  // co_await it: true, once there is a value that changed() has not told of; false, closed without one.
  detail::news_wait<receiver> changed() noexcept { return detail::news_wait<receiver>(*this); }

  // Until fn(value) holds, now or later; it holds when this returns. False: closed, and it does not hold.
  template <class Fn>
    requires detail::await_safe<Fn> && std::is_invocable_r_v<bool, std::decay_t<Fn>&, T const&>
  task<bool> wait_for(Fn&& fn) {
    return wait_until_holds(*this, std::decay_t<Fn>(std::forward<Fn>(fn)));
  }

  T const& value() const noexcept { return of_->value_; }

 private:
  friend class detail::news_wait<receiver>;
  static constexpr char const* what = "change";

  bool has_news() const noexcept { return seen_ != of_->version_ || of_->closed_; }
  bool read() noexcept { return std::exchange(seen_, of_->version_) != of_->version_; }
  detail::wait_queue& queue() noexcept { return of_->waiting_; }
  char const* name() const noexcept { return of_->name_; }

  template <class Fn>
  static task<bool> wait_until_holds(receiver& in, Fn fn) {
    for (bool more = true; more; more = co_await in.changed()) {
      if (std::invoke(fn, in.value())) co_return true;
    }
    co_return false;
  }

  watch* of_;
  std::uint64_t seen_;
};

}  // namespace plait
