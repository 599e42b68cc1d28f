// How values travel between processes of one program: the same build, so plain memory where that is
// enough, and no versions. Everything that is read is checked against the bytes that are there, so
// a broken or hostile message is a codec_error, never a crash or a large allocation.
//
// Travels as it is: numbers, enums, std::string, vector, deque, list, array, pair, tuple, optional,
// variant, unique_ptr, map, set and their unordered kin, std::expected and what looks like it,
// aggregates of up to 20 members, and other trivially copyable classes (as their bytes). A class of
// your own, which must be default-constructible, says what it consists of:
//
//     struct point { ... private: ...
//       template <class Archive>
//       friend void plait_codec(Archive& archive, point& p) { archive(p.x_, p.y_); }
//     };
//
// Pointers, references and views do not compile: they mean nothing elsewhere. What cannot be seen
// from here is a pointer inside a trivially copyable class that is not an aggregate.
#pragma once

#include <plait/detail/pool_bytes.hpp>
#include <plait/detail/pool_reflect.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace plait {

class encoder;
class decoder;

namespace detail {
template <class T>
void encode(encoder& to, T const& value);
template <class T>
void decode(decoder& from, T& value);
}  // namespace detail

// A message that does not make sense: truncated, with a length that cannot be, or too deeply nested.
class codec_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// More bytes than the receiver would take. Thrown before they are copied.
class message_too_large : public codec_error {
 public:
  using codec_error::codec_error;
  message_too_large(std::size_t needs, std::size_t limit);
};

inline constexpr int codec_depth_max = 64;  // of values inside values of user types and containers

namespace detail {
[[noreturn]] void throw_truncated(std::size_t wanted, std::size_t there);
[[noreturn]] void throw_too_deep();
[[noreturn]] void throw_bad_value(char const* what);
}  // namespace detail

// Appends values to a buffer.
class encoder {
 public:
  static constexpr bool is_encoder = true;

  explicit encoder(detail::byte_buffer& to,
                   std::size_t bytes_max = std::numeric_limits<std::size_t>::max()) noexcept
      : to_(&to), bytes_max_(bytes_max) {}

  template <class... Ts>
  void operator()(Ts const&... values);

  void bytes(void const* from, std::size_t count) {
    if (count > bytes_max_ || to_->size() > bytes_max_ - count) {
      throw message_too_large(to_->size() + count, bytes_max_);
    }
    to_->append(from, count);
  }
  void length(std::size_t n) {
    auto const wide = static_cast<std::uint64_t>(n);
    bytes(&wide, sizeof wide);
  }
  void enter() {
    if (++depth_ > codec_depth_max) detail::throw_too_deep();
  }
  void leave() noexcept { --depth_; }

 private:
  detail::byte_buffer* to_;
  std::size_t bytes_max_;
  int depth_ = 0;
};

// Takes values from bytes that somebody else keeps.
class decoder {
 public:
  static constexpr bool is_encoder = false;

  explicit decoder(std::span<std::byte const> from) noexcept : from_(from) {}

  template <class... Ts>
  void operator()(Ts&... values);

  // A value of a type that is default-constructible.
  template <class T>
  T get() {
    T value{};
    (*this)(value);
    return value;
  }

  void bytes(void* to, std::size_t count) {
    auto const* const at = take(count).data();
    if (count != 0) std::memcpy(to, at, count);
  }
  std::span<std::byte const> take(std::size_t count) {
    if (count > from_.size()) detail::throw_truncated(count, from_.size());
    auto const taken = from_.first(count);
    from_ = from_.subspan(count);
    return taken;
  }
  // How many elements follow, each of which is at least so many bytes long.
  std::size_t length(std::size_t each_at_least) {
    std::uint64_t n = 0;
    bytes(&n, sizeof n);
    if (n > from_.size() / each_at_least) detail::throw_truncated(n, from_.size());
    return static_cast<std::size_t>(n);
  }
  std::size_t left() const noexcept { return from_.size(); }
  // A message that goes on after its last value is as wrong as one that ends before.
  void expect_end() const {
    if (!from_.empty()) detail::throw_bad_value("bytes are left over");
  }
  void enter() {
    if (++depth_ > codec_depth_max) detail::throw_too_deep();
  }
  void leave() noexcept { --depth_; }

 private:
  std::span<std::byte const> from_;
  int depth_ = 0;
};

}  // namespace plait

#include <plait/detail/pool_codec_values.hpp>

namespace plait {

namespace detail {
// Defined by the header above, or after this one where that was the first to be included.
template <class T>
void encode(encoder& e, T const& value);
template <class T>
void decode(decoder& d, T& value);
}  // namespace detail

template <class... Ts>
void encoder::operator()(Ts const&... values) {
  (detail::encode(*this, values), ...);
}

template <class... Ts>
void decoder::operator()(Ts&... values) {
  (detail::decode(*this, values), ...);
}

}  // namespace plait
