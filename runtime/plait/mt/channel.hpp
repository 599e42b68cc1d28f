// Items from task to task, in order, between any schedulers and plain threads: bounded or unbounded.
//
//     plait::mt::channel<order> orders(16);         // at most 16 on the way; 0, the default: any number
//     co_await orders.send(next);                   // on one scheduler
//     for (auto got = co_await orders.receive(); got; got = co_await orders.receive()) handle(*got);
//
// What channel<T> is on one scheduler's thread, with its members and their meaning, and what queue<T> is
// among threads, without the count of what is unfinished: every member may be called from any thread; each
// side is served first come, first served; a cancelled wait has sent or taken nothing. T's move must not
// throw. Not from hand to hand, and no case of a select, for the reasons in queue.hpp. Nobody may wait for a
// channel that is destroyed. Where all ends are on one scheduler, channel<T> costs a fraction of this.
#pragma once

#include <plait/channel/queue.hpp>

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

namespace plait::mt {

template <class T>
class channel {
 public:
  using send_operation = typename queue<T>::put_operation;
  using receive_operation = typename queue<T>::get_operation;

  // The name is for reports: a literal, or what else outlives the channel.
  explicit channel(std::size_t capacity = 0, char const* name = nullptr) : items_(capacity, name) {}

  // co_await it: throws channel_closed where the channel is closed.
  template <class U = T>
    requires std::is_constructible_v<T, U&&> && detail::await_safe<U>
  send_operation send(U&& item) noexcept(std::is_nothrow_constructible_v<T, U&&>) {
    return items_.put(std::forward<U>(item));
  }
  // co_await it: gives std::optional<T>, empty where the channel is closed and drained.
  receive_operation receive() noexcept { return items_.get(); }

  // Without waiting. False: there is no room, and `item` is untouched. Throws channel_closed.
  [[nodiscard]] bool try_send(T&& item) { return items_.try_put(std::move(item)); }
  // Empty where nothing is there, or will be.
  [[nodiscard]] std::optional<T> try_receive() { return items_.try_get(); }

  // For plain threads; refused on a scheduler's with std::logic_error. Throw timed_out, having done nothing.
  void blocking_send(T item, duration timeout = duration::max()) {
    items_.blocking_put(std::move(item), timeout);
  }
  std::optional<T> blocking_receive(duration timeout = duration::max()) {
    return items_.blocking_get(timeout);
  }

  // Calls fn(item) for each item until the channel is closed and drained, and awaits what it gives, where
  // that is a task.
  template <class Fn>
    requires detail::await_safe<Fn> && std::is_invocable_v<std::decay_t<Fn>&, T>
  task<> for_each(Fn&& fn) {
    return items_.for_each(std::forward<Fn>(fn));
  }

  // What was accepted is still received, then receivers get std::nullopt. Again: nothing.
  void close() noexcept { items_.close(); }
  bool closed() const noexcept { return items_.closed(); }

  std::size_t size() const noexcept { return items_.size(); }           // when it looked
  std::size_t capacity() const noexcept { return items_.max_size(); }  // 0: any number
  char const* name() const noexcept { return items_.name(); }

 private:
  queue<T> items_;
};

}  // namespace plait::mt
