// How a caller's function is called with one item after the other.
#pragma once

#include <plait/task.hpp>

#include <functional>
#include <type_traits>

namespace plait::detail {

// Calls fn(item), awaits it where that is a task, and gives whether it wants more: what fn says, where it
// gives a bool or a task of one.
template <class Fn, class Item>
task<bool> wants_more(Fn& fn, Item& item) {
  using result = std::invoke_result_t<Fn&, Item&>;
  bool more = true;
  if constexpr (std::is_same_v<result, task<>>) {
    co_await std::invoke(fn, item);
  } else if constexpr (is_task<result>::value) {
    more = co_await std::invoke(fn, item);
  } else if constexpr (std::is_void_v<result>) {
    std::invoke(fn, item);
  } else {
    more = std::invoke(fn, item);
  }
  co_return more;
}

}  // namespace plait::detail
