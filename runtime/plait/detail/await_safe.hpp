// The guard against g++ 12's double destruction. That compiler destroys a closure with non-trivial
// captures, or an aggregate with a non-trivial member, twice when it is a temporary of an expression
// that contains co_await. There the functions of plait that take a callable refuse such temporaries.
// Three ways round it: pass `fn, args...` instead of captures; name the lambda and pass it as an
// lvalue; or pass `plait::moved(named_lambda)`.
#pragma once

#include <plait/detail/config.hpp>

#include <string_view>
#include <type_traits>
#include <utility>

namespace plait {

// A callable that was moved out of a named one. It has a constructor, which is what makes it safe.
template <class Fn>
class moved_callable {
 public:
  explicit moved_callable(Fn&& fn) : fn_(std::move(fn)) {}
  template <class... Args>
    requires std::is_invocable_v<Fn&, Args...>
  decltype(auto) operator()(Args&&... args) {
    return fn_(std::forward<Args>(args)...);
  }

 private:
  Fn fn_;
};

template <class Fn>
moved_callable<Fn> moved(Fn& fn) {
  return moved_callable<Fn>(std::move(fn));
}

namespace detail {

template <class T>
constexpr bool is_closure() {
  return std::string_view(__PRETTY_FUNCTION__).find("lambda") != std::string_view::npos;
}

template <class T>
inline constexpr bool destroyed_twice_by_gcc12 =
    PLAIT_GCC12_AWAIT_BUG && !std::is_lvalue_reference_v<T> && !std::is_trivially_destructible_v<T> &&
    (std::is_aggregate_v<T> || is_closure<T>());

template <class T>
concept await_safe_with_this_compiler = !destroyed_twice_by_gcc12<T>;

// T as a forwarding reference deduces it.
template <class T>
concept await_safe = await_safe_with_this_compiler<T>;

template <class T>
constexpr std::decay_t<T> decay_copy(T&& value) {
  return std::forward<T>(value);
}

}  // namespace detail
}  // namespace plait
