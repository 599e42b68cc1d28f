// How a function is named between processes of one program: by its place in the module that it is
// compiled into, never by its address. Every instantiation of process_pool::run registers the code
// that calls its function, before main; nothing else can be called.
#pragma once

#include <plait/codec.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace plait::detail {

struct function_key {
  std::uint64_t module = 0;  // a digest of the build id
  std::uint64_t offset = 0;  // from where the module is loaded
  friend bool operator==(function_key const&, function_key const&) = default;
};

// Reads the arguments, calls the function, writes its value.
using trampoline = void (*)(decoder& arguments, encoder& result);

class job_function {
 public:
  job_function(trampoline calls, std::type_info const& of) noexcept;

  trampoline call() const noexcept { return call_; }
  std::type_info const& type() const noexcept { return *type_; }
  function_key key() const;  // found at its first use
  job_function const* next() const noexcept { return next_; }

  static job_function const* first() noexcept;
  // Throws unknown_function.
  static job_function const& find(function_key key);

 private:
  trampoline call_;
  std::type_info const* type_;
  job_function const* next_;
  // The module is written last; 0: the key has not been looked for yet.
  mutable std::atomic<std::uint64_t> offset_{0};
  mutable std::atomic<std::uint64_t> module_{0};
};

std::string readable_name(std::type_info const& type);

// For functions that are passed as pointers: the key of any code, and back, which checks that it
// lies in code.
function_key key_of_code(void const* code);
void* code_at(function_key key);

// The parameters of a callable, where it has one signature only.
template <class... Ps>
struct parameter_list {
  static constexpr bool known = true;
  static constexpr std::size_t size = sizeof...(Ps);
  template <std::size_t I>
  using at = std::tuple_element_t<I, std::tuple<Ps...>>;
};
struct unknown_parameters {
  static constexpr bool known = false;
  static constexpr std::size_t size = 0;
};

template <class F>
struct parameters_of_call : std::type_identity<unknown_parameters> {};
template <class R, class... Ps>
struct parameters_of_call<R (*)(Ps...)> : std::type_identity<parameter_list<Ps...>> {};
template <class R, class... Ps>
struct parameters_of_call<R (*)(Ps...) noexcept> : std::type_identity<parameter_list<Ps...>> {};
template <class C, class R, class... Ps>
struct parameters_of_call<R (C::*)(Ps...)> : std::type_identity<parameter_list<Ps...>> {};
template <class C, class R, class... Ps>
struct parameters_of_call<R (C::*)(Ps...) const> : std::type_identity<parameter_list<Ps...>> {};
template <class C, class R, class... Ps>
struct parameters_of_call<R (C::*)(Ps...) noexcept> : std::type_identity<parameter_list<Ps...>> {};
template <class C, class R, class... Ps>
struct parameters_of_call<R (C::*)(Ps...) const noexcept>
    : std::type_identity<parameter_list<Ps...>> {};

template <class Fn>
constexpr auto parameters_of() {
  if constexpr (requires { &Fn::operator(); }) {
    return typename parameters_of_call<decltype(&Fn::operator())>::type();
  } else {
    return typename parameters_of_call<Fn>::type();
  }
}

// What is sent for a parameter: text and elements instead of a view of them.
template <class T>
struct travels_as : std::type_identity<T> {};
template <class C>
struct travels_as<std::basic_string_view<C>> : std::type_identity<std::basic_string<C>> {};
template <class T>
struct travels_as<std::span<T const>> : std::type_identity<std::vector<T>> {};

template <class Fn, std::size_t I, class Arg, std::size_t Count>
constexpr auto sent_type() {
  using parameters = decltype(parameters_of<Fn>());
  if constexpr (parameters::known && parameters::size == Count) {
    using parameter = typename parameters::template at<I>;
    static_assert(!std::is_lvalue_reference_v<parameter> ||
                      std::is_const_v<std::remove_reference_t<parameter>>,
                  "plait: a job in another process cannot change its argument; take it by value and "
                  "return what is new");
    return std::type_identity<typename travels_as<std::decay_t<parameter>>::type>();
  } else {
    return std::type_identity<typename travels_as<std::decay_t<Arg>>::type>();
  }
}

template <class Fn, std::size_t I, class Arg, std::size_t Count>
using sent_type_t = typename decltype(sent_type<Fn, I, Arg, Count>())::type;

template <class Fn>
inline constexpr bool is_function_pointer =
    std::is_pointer_v<Fn> && std::is_function_v<std::remove_pointer_t<Fn>>;

// A captureless lambda, or a function object without state: its type says all.
template <class Fn>
inline constexpr bool is_stateless = std::is_empty_v<Fn> && std::is_default_constructible_v<Fn>;

template <class Fn>
void encode_callable(encoder& to, Fn const& fn) {
  if constexpr (is_function_pointer<Fn>) {
    encode(to, key_of_code(reinterpret_cast<void const*>(fn)));
  } else if constexpr (!is_stateless<Fn>) {
    encode(to, fn);
  }
}

template <class Fn>
Fn decode_callable(decoder& from) {
  if constexpr (is_function_pointer<Fn>) {
    return reinterpret_cast<Fn>(code_at(decoded<function_key>(from)));
  } else if constexpr (is_stateless<Fn>) {
    return Fn();
  } else {
    return decoded<Fn>(from);
  }
}

// One function and the types that its arguments travel as.
template <class Fn, class... Sent>
struct remote_job {
  static_assert(std::is_invocable_v<Fn&, Sent...>,
                "plait: the job's function cannot be called with these arguments");
  using value = std::invoke_result_t<Fn&, Sent...>;
  static_assert(!std::is_reference_v<value>,
                "plait: a job in another process cannot return a reference; return a value");

  static void call(decoder& arguments, encoder& result) {
    Fn fn = decode_callable<Fn>(arguments);
    std::tuple<Sent...> sent{decoded<Sent>(arguments)...};
    arguments.expect_end();
    std::apply(
        [&](Sent&... values) {
          if constexpr (std::is_void_v<value>) {
            std::invoke(fn, std::move(values)...);
          } else {
            result(std::invoke(fn, std::move(values)...));
          }
        },
        sent);
  }

  static inline job_function const registered{&call, typeid(Fn)};
};

template <class Sent, class Arg>
void encode_as(encoder& to, Arg&& argument) {
  if constexpr (std::is_same_v<Sent, std::remove_cvref_t<Arg>>) {
    encode(to, argument);
  } else {
    encode(to, static_cast<Sent>(std::forward<Arg>(argument)));
  }
}

}  // namespace plait::detail
