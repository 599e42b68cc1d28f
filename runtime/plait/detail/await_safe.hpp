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

// A closure's name ends with "<lambda(...)>"; that of a template over one, which is no aggregate and
// safe, does not.
template <class T>
constexpr bool is_closure() {
  std::string_view const name = __PRETTY_FUNCTION__;  // "... [with T = main()::<lambda(int)>]"
  return name.find("<lambda(") != std::string_view::npos &&
         name.substr(name.size() - 3) == ")>]";
}

// T as a forwarding reference deduces it.
template <class T>
inline constexpr bool destroyed_twice_by_gcc12 =
    PLAIT_GCC12_AWAIT_BUG && !std::is_lvalue_reference_v<T> && !std::is_trivially_destructible_v<T> &&
    (std::is_aggregate_v<T> || is_closure<T>());

// An error with a sentence, rather than a constraint that is not satisfied.
template <class T>
struct await_safe_or_error : std::true_type {
  static_assert(!destroyed_twice_by_gcc12<T>,
                "g++ 12 would destroy this temporary twice, for it stands in a co_await expression: "
                "give the lambda (or the aggregate) a name before the co_await and pass that, or "
                "pass plait::moved(name), or pass a function and its arguments instead of captures");
};

template <class T>
concept await_safe = await_safe_or_error<T>::value;

template <class T>
constexpr std::decay_t<T> decay_copy(T&& value) {
  return std::forward<T>(value);
}

}  // namespace detail
}  // namespace plait
