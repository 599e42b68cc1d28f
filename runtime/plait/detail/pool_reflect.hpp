// The members of an aggregate, by structured binding. How many there are is found by trying how many
// initialisers it takes (the method of Boost.PFR; for members that are arrays, of reflect-cpp).
#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace plait::detail {

// Converts to whatever a member is, but not to a base of T: an aggregate with bases does not come
// apart into its members.
template <class T>
struct any_member {
  template <class U>
    requires(!std::is_base_of_v<std::remove_cvref_t<U>, T>)
  constexpr operator U() const noexcept {
    __builtin_unreachable();  // only ever asked about, never called
  }
};

template <class T>
struct member_counter {
  template <std::size_t>
  using any = any_member<T>;

  template <std::size_t... I>
  static constexpr bool takes(std::index_sequence<I...>) {
    return requires { T{any<I>{}...}; };
  }
  template <std::size_t... L, std::size_t... N, std::size_t... R>
  static constexpr bool takes_nested(std::index_sequence<L...>, std::index_sequence<N...>,
                                     std::index_sequence<R...>) {
    return requires { T{any<L>{}..., {any<N>{}...}, any<R>{}...}; };
  }
  template <std::size_t L, std::size_t N, std::size_t R>
  static constexpr bool nested = takes_nested(std::make_index_sequence<L>(), std::make_index_sequence<N>(),
                                              std::make_index_sequence<R>());

  static constexpr std::size_t limit = 64;

  // Initialisers, an array's elements counted one by one.
  template <std::size_t N = limit>
  static constexpr std::size_t initialisers() {
    if constexpr (N == 0) {
      return 0;
    } else if constexpr (takes(std::make_index_sequence<N>())) {
      return N;
    } else {
      return initialisers<N - 1>();
    }
  }

  // How many initialisers the member at this place takes: more than 1 for an array.
  template <std::size_t At, std::size_t Size, std::size_t Rest>
  static constexpr std::size_t size_at() {
    if constexpr (Size <= 1) {
      return 1;
    } else if constexpr (nested<At, Size, Rest> && !nested<At, Size, Rest + 1>) {
      return Size;
    } else {
      return size_at<At, Size - 1, Rest + 1>();
    }
  }

  template <std::size_t At, std::size_t All>
  static constexpr std::size_t count() {
    if constexpr (At >= All) {
      return 0;
    } else {
      return 1 + count<At + size_at<At, All - At, 0>(), All>();
    }
  }
};

template <class T>
inline constexpr std::size_t member_count =
    member_counter<T>::template count<0, member_counter<T>::initialisers()>();

inline constexpr std::size_t reflected_members_max = 20;

template <class T>
inline constexpr bool is_reflectable = [] {
  if constexpr (std::is_aggregate_v<T> && !std::is_array_v<T> && !std::is_union_v<T>) {
    return member_count<T> <= reflected_members_max && (member_count<T> > 0 || std::is_empty_v<T>);
  } else {
    return false;
  }
}();

// References to the members, in their order.
template <class T>
constexpr auto members_of(T& value) noexcept {
  constexpr std::size_t count = member_count<std::remove_const_t<T>>;
  if constexpr (count == 1) {
    auto& [a] = value;
    return std::tie(a);
  } else if constexpr (count == 2) {
    auto& [a, b] = value;
    return std::tie(a, b);
  } else if constexpr (count == 3) {
    auto& [a, b, c] = value;
    return std::tie(a, b, c);
  } else if constexpr (count == 4) {
    auto& [a, b, c, d] = value;
    return std::tie(a, b, c, d);
  } else if constexpr (count == 5) {
    auto& [a, b, c, d, e] = value;
    return std::tie(a, b, c, d, e);
  } else if constexpr (count == 6) {
    auto& [a, b, c, d, e, f] = value;
    return std::tie(a, b, c, d, e, f);
  } else if constexpr (count == 7) {
    auto& [a, b, c, d, e, f, g] = value;
    return std::tie(a, b, c, d, e, f, g);
  } else if constexpr (count == 8) {
    auto& [a, b, c, d, e, f, g, h] = value;
    return std::tie(a, b, c, d, e, f, g, h);
  } else if constexpr (count == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = value;
    return std::tie(a, b, c, d, e, f, g, h, i);
  } else if constexpr (count == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (count == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (count == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
  } else if constexpr (count == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else if constexpr (count == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
  } else if constexpr (count == 15) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
  } else if constexpr (count == 16) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
  } else if constexpr (count == 17) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q);
  } else if constexpr (count == 18) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r);
  } else if constexpr (count == 19) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s);
  } else if constexpr (count == 20) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = value;
    return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t);
  } else {
    return std::tuple<>();
  }
}

}  // namespace plait::detail
