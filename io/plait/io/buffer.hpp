// Where bytes come from and go to: views that anything contiguous of bytes or characters turns into.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace plait::io {

template <class T>
concept byte_like = std::is_same_v<std::remove_const_t<T>, std::byte> ||
                    std::is_same_v<std::remove_const_t<T>, char> ||
                    std::is_same_v<std::remove_const_t<T>, unsigned char>;

template <class Range>
using span_element_t = typename decltype(std::span(std::declval<Range&>()))::element_type;

// Whatever a span of bytes or characters can be made of.
template <class Range>
concept byte_range = requires(Range& r) { std::span(r); } && byte_like<span_element_t<Range>>;

class mutable_buffer {
 public:
  mutable_buffer(void* data, std::size_t size) noexcept
      : data_(static_cast<std::byte*>(data)), size_(size) {}
  template <byte_range Range>
    requires(!std::is_const_v<span_element_t<Range>>)
  mutable_buffer(Range&& range) noexcept : mutable_buffer(std::span(range).data(), std::span(range).size()) {}

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  std::byte* data_;
  std::size_t size_;
};

class const_buffer {
 public:
  const_buffer(void const* data, std::size_t size) noexcept
      : data_(static_cast<std::byte const*>(data)), size_(size) {}
  const_buffer(std::string_view text) noexcept : const_buffer(text.data(), text.size()) {}
  const_buffer(std::string const& text) noexcept : const_buffer(text.data(), text.size()) {}
  const_buffer(char const* text) noexcept : const_buffer(std::string_view(text)) {}
  // An array of char that can be changed is a buffer, whole; a constant one is a literal, above.
  template <byte_range Range>
    requires(!std::is_convertible_v<Range, std::string_view> ||
             (std::is_array_v<std::remove_reference_t<Range>> &&
              !std::is_const_v<span_element_t<Range>>))
  const_buffer(Range&& range) noexcept : const_buffer(std::span(range).data(), std::span(range).size()) {}

  std::byte const* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  std::byte const* data_;
  std::size_t size_;
};

}  // namespace plait::io
