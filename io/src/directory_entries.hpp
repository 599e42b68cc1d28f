// The entries of a directory as getdents64(2) packs them.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

#include <dirent.h>

namespace plait::io {

class entry_cursor {
 public:
  entry_cursor(std::byte const* packed, std::size_t bytes) noexcept : at_(packed), end_(packed + bytes) {}

  bool there() const noexcept { return at_ < end_; }
  void next() noexcept { at_ += field<unsigned short>(offsetof(dirent64, d_reclen)); }

  std::string_view name() const noexcept {
    return reinterpret_cast<char const*>(at_ + offsetof(dirent64, d_name));
  }
  unsigned char type() const noexcept { return field<unsigned char>(offsetof(dirent64, d_type)); }
  bool is_dots() const noexcept { return name() == "." || name() == ".."; }

 private:
  // An entry is shorter than a dirent64, so no such object stands there.
  template <class T>
  T field(std::size_t offset) const noexcept {
    T value;
    std::memcpy(&value, at_ + offset, sizeof value);
    return value;
  }

  std::byte const* at_;
  std::byte const* end_;
};

}  // namespace plait::io
