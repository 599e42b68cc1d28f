// What the fuzz targets share. Each target is a program of its own, tests/fuzz/NAME.cpp, which libFuzzer
// feeds with inputs that reach code which no input before has reached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

namespace plait::fuzz {

// Takes values from the front of the input; zeros when it has ended.
class input {
 public:
  input(std::uint8_t const* data, std::size_t size) noexcept : left_(data, size) {}

  std::uint8_t byte() noexcept {
    if (left_.empty()) return 0;
    std::uint8_t const first = left_.front();
    left_ = left_.subspan(1);
    return first;
  }
  std::string_view text() const noexcept {
    return {reinterpret_cast<char const*>(left_.data()), left_.size()};
  }
  std::span<std::byte const> bytes() const noexcept { return std::as_bytes(left_); }

 private:
  std::span<std::uint8_t const> left_;
};

// A promise that does not hold: libFuzzer keeps the input that shows it.
inline void require(bool holds, char const* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

}  // namespace plait::fuzz

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
