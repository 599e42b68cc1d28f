// What each kind of value looks like in a message. Included by <plait/codec.hpp>.
//
// Numbers are their bytes. A sequence is its length in 8 bytes and then its elements, in one piece
// where they are plain memory. An optional is one byte and perhaps the value; a variant is its index
// in 4 bytes and the value.
#pragma once

#include <plait/codec.hpp>

#include <string_view>

namespace plait::detail {

template <class T, template <class...> class Of>
inline constexpr bool is_a = false;
template <template <class...> class Of, class... Ts>
inline constexpr bool is_a<Of<Ts...>, Of> = true;

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t N>
inline constexpr bool is_std_array<std::array<T, N>> = true;

template <class T>
concept has_own_codec = requires(encoder& e, decoder& d, T& value) {
  plait_codec(e, value);
  plait_codec(d, value);
};

template <class T>
concept keyed_container = requires(T& c, typename T::value_type v) {
  typename T::key_type;
  c.insert(std::move(v));
  c.size();
};

template <class T>
concept growing_sequence = requires(T& c) {
  typename T::value_type;
  c.emplace_back();
  c.size();
  c.begin();
};

template <class T>
concept like_expected = requires(T& e) {
  typename T::unexpected_type;
  typename T::error_type;
  typename T::value_type;
  e.has_value();
  e.error();
};

template <class T>
inline constexpr bool is_pointer_like =
    std::is_pointer_v<T> || std::is_reference_v<T> || std::is_null_pointer_v<T> ||
    std::is_member_pointer_v<T> || std::is_function_v<T>;

// Refers to memory that it does not own.
template <class T>
inline constexpr bool is_view_like = [] {
  if constexpr (is_a<T, std::reference_wrapper>) {
    return true;
  } else if constexpr (std::is_class_v<T> && std::ranges::range<T>) {
    return std::ranges::view<T> && !std::is_empty_v<T>;
  } else {
    return false;
  }
}();

// A lambda itself, not a template over one: "[T = (lambda at f.cpp:1:2)]" for clang,
// "[with T = f()::<lambda(int)>]" for GCC.
template <class T>
constexpr bool is_lambda() {
  std::string_view const name = __PRETTY_FUNCTION__;
  return name.find("T = (lambda at ") != std::string_view::npos ||
         (name.find("<lambda(") != std::string_view::npos && name.ends_with(")>]"));
}

// Whether a value is nothing but its bytes, any of which are valid: may be copied in bulk. A bool is
// not, for only two of its bytes are.
template <class T>
constexpr bool is_bytewise();

template <class Tuple>
inline constexpr bool all_bytewise = false;
template <class... Ts>
inline constexpr bool all_bytewise<std::tuple<Ts&...>> = (is_bytewise<Ts>() && ...);

template <class T>
constexpr bool is_bytewise() {
  if constexpr (std::is_same_v<T, bool> || is_pointer_like<T> || has_own_codec<T>) {
    return false;
  } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return true;
  } else if constexpr (std::is_array_v<T>) {
    return is_bytewise<std::remove_extent_t<T>>();
  } else if constexpr (!std::is_class_v<T> || !std::is_trivially_copyable_v<T> || is_view_like<T>) {
    return false;
  } else if constexpr (is_std_array<T>) {
    return is_bytewise<typename T::value_type>();
  } else if constexpr (is_a<T, std::pair> || is_a<T, std::tuple> || is_a<T, std::optional> ||
                       is_a<T, std::variant> || like_expected<T>) {
    return false;
  } else if constexpr (std::is_empty_v<T>) {
    return false;  // nothing of it is worth copying; one byte stands for it
  } else if constexpr (is_reflectable<T>) {
    return all_bytewise<decltype(members_of(std::declval<T&>()))>;
  } else {
    return !std::is_aggregate_v<T> && !is_lambda<T>();
  }
}

// The fewest bytes that a value takes in a message: bounds what a length may claim.
template <class T>
constexpr std::size_t bytes_min() {
  if constexpr (is_bytewise<T>()) {
    return sizeof(T);
  } else if constexpr (growing_sequence<T> || keyed_container<T>) {
    return 8;
  } else {
    return 1;
  }
}

template <class T>
constexpr void refuse() {
  static_assert(!is_pointer_like<T>,
                "plait: a pointer or reference means nothing in another process; pass the value itself "
                "(std::string for text, std::vector for arrays)");
  static_assert(!is_view_like<T>,
                "plait: a view does not own its elements and cannot travel to another process; pass a "
                "std::string or std::vector");
  static_assert(is_pointer_like<T> || is_view_like<T> || !is_lambda<T>(),
                "plait: a lambda with captures cannot travel to another process; pass what it captures "
                "as arguments");
  static_assert(is_pointer_like<T> || is_view_like<T> || is_lambda<T>(),
                "plait: no codec for this type; give it a friend function template "
                "plait_codec(archive, value) that calls archive(member, ...)");
}

template <class Archive>
class nesting {
 public:
  explicit nesting(Archive& a) : archive_(a) { a.enter(); }
  ~nesting() { archive_.leave(); }
  nesting(nesting const&) = delete;
  nesting& operator=(nesting const&) = delete;

 private:
  Archive& archive_;
};

template <class T>
void encode(encoder& e, T const& value) {
  if constexpr (is_bytewise<T>()) {
    e.bytes(std::addressof(value), sizeof value);
  } else if constexpr (std::is_same_v<T, bool>) {
    auto const byte = static_cast<std::uint8_t>(value);
    e.bytes(&byte, 1);
  } else if constexpr (has_own_codec<T>) {
    nesting const inside(e);
    plait_codec(e, const_cast<T&>(value));  // one function for both ways; an encoder only reads
  } else if constexpr (is_a<T, std::vector> && std::is_same_v<T, std::vector<bool>>) {
    e.length(value.size());
    for (bool const b : value) encode(e, b);
  } else if constexpr (growing_sequence<T> || keyed_container<T> || is_a<T, std::basic_string>) {
    nesting const inside(e);
    e.length(value.size());
    if constexpr (std::ranges::contiguous_range<T> && is_bytewise<typename T::value_type>()) {
      e.bytes(value.data(), value.size() * sizeof(typename T::value_type));
    } else {
      for (auto const& element : value) encode(e, element);
    }
  } else if constexpr (is_std_array<T> || std::is_array_v<T>) {
    for (auto const& element : value) encode(e, element);
  } else if constexpr (is_a<T, std::optional> || is_a<T, std::unique_ptr>) {
    nesting const inside(e);
    encode(e, static_cast<bool>(value));
    if (value) encode(e, *value);
  } else if constexpr (is_a<T, std::variant>) {
    if (value.valueless_by_exception()) throw_bad_value("a variant without a value");
    encode(e, static_cast<std::uint32_t>(value.index()));
    std::visit([&e](auto const& held) { encode(e, held); }, value);
  } else if constexpr (is_a<T, std::pair> || is_a<T, std::tuple>) {
    std::apply([&e](auto const&... members) { (encode(e, members), ...); }, value);
  } else if constexpr (like_expected<T>) {
    encode(e, value.has_value());
    if (!value.has_value()) {
      encode(e, value.error());
    } else if constexpr (!std::is_void_v<typename T::value_type>) {
      encode(e, *value);
    }
  } else if constexpr (std::is_empty_v<T> && std::is_default_constructible_v<T>) {
    encode(e, std::uint8_t{0});
  } else if constexpr (is_reflectable<T> && !is_view_like<T>) {
    nesting const inside(e);
    std::apply([&e](auto const&... members) { (encode(e, members), ...); }, members_of(value));
  } else {
    refuse<T>();
  }
}

template <class T>
void decode(decoder& d, T& value);

template <class Value>
Value decoded(decoder& d) {
  Value value{};
  decode(d, value);
  return value;
}

inline bool decoded_flag(decoder& d) {
  std::uint8_t byte = 0;
  d.bytes(&byte, 1);
  if (byte > 1) throw_bad_value("a bool that is neither true nor false");
  return byte == 1;
}

template <class T>
void decode_elements(decoder& d, T& value) {
  using element = typename T::value_type;
  std::size_t count = d.length(bytes_min<element>());
  value.clear();
  if constexpr (keyed_container<T>) {
    for (; count != 0; --count) {
      if constexpr (requires { typename T::mapped_type; }) {
        auto key = decoded<typename T::key_type>(d);
        value.insert(element(std::move(key), decoded<typename T::mapped_type>(d)));
      } else {
        value.insert(decoded<element>(d));
      }
    }
  } else if constexpr (std::ranges::contiguous_range<T> && is_bytewise<element>()) {
    auto const bytes = d.take(count * sizeof(element));
    if constexpr (alignof(element) == 1) {
      auto const* const first = reinterpret_cast<element const*>(bytes.data());
      value.assign(first, first + count);
    } else {
      value.resize(count);
      if (count != 0) std::memcpy(value.data(), bytes.data(), bytes.size());
    }
  } else {
    for (; count != 0; --count) value.push_back(decoded<element>(d));
  }
}

template <class Variant, std::size_t I = 0>
void decode_alternative(decoder& d, Variant& value, std::uint32_t index) {
  if constexpr (I == std::variant_size_v<Variant>) {
    throw_bad_value("a variant's index that is none");
  } else if (index == I) {
    decode(d, value.template emplace<I>());
  } else {
    decode_alternative<Variant, I + 1>(d, value, index);
  }
}

template <class T>
void decode(decoder& d, T& value) {
  if constexpr (is_bytewise<T>()) {
    d.bytes(std::addressof(value), sizeof value);
  } else if constexpr (std::is_same_v<T, bool>) {
    value = decoded_flag(d);
  } else if constexpr (has_own_codec<T>) {
    nesting const inside(d);
    plait_codec(d, value);
  } else if constexpr (growing_sequence<T> || keyed_container<T> || is_a<T, std::basic_string>) {
    nesting const inside(d);
    decode_elements(d, value);
  } else if constexpr (is_std_array<T> || std::is_array_v<T>) {
    for (auto& element : value) decode(d, element);
  } else if constexpr (is_a<T, std::optional> || is_a<T, std::unique_ptr>) {
    nesting const inside(d);
    value.reset();
    if (decoded_flag(d)) {
      if constexpr (is_a<T, std::optional>) {
        decode(d, value.emplace());
      } else {
        value = T(new typename T::element_type{});
        decode(d, *value);
      }
    }
  } else if constexpr (is_a<T, std::variant>) {
    decode_alternative(d, value, decoded<std::uint32_t>(d));
  } else if constexpr (is_a<T, std::pair> || is_a<T, std::tuple>) {
    std::apply([&d](auto&... members) { (decode(d, members), ...); }, value);
  } else if constexpr (like_expected<T>) {
    if (!decoded_flag(d)) {
      value = typename T::unexpected_type(decoded<typename T::error_type>(d));
    } else if constexpr (std::is_void_v<typename T::value_type>) {
      value = T();
    } else {
      value = T(decoded<typename T::value_type>(d));
    }
  } else if constexpr (std::is_empty_v<T> && std::is_default_constructible_v<T>) {
    static_cast<void>(decoded<std::uint8_t>(d));
  } else if constexpr (is_reflectable<T> && !is_view_like<T>) {
    nesting const inside(d);
    std::apply([&d](auto&... members) { (decode(d, members), ...); }, members_of(value));
  } else {
    refuse<T>();
  }
}

}  // namespace plait::detail
