// Bytes that grow at the end: what an encoded message is made in. Unlike a vector it leaves new room
// as it is, since all of it is written over.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <utility>

namespace plait::detail {

class byte_buffer {
 public:
  byte_buffer() noexcept = default;
  byte_buffer(byte_buffer&& other) noexcept { swap(other); }
  byte_buffer& operator=(byte_buffer&& other) noexcept {
    byte_buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~byte_buffer() { std::free(data_); }

  void swap(byte_buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  std::byte* data() noexcept { return data_; }
  std::byte const* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  std::span<std::byte const> view() const noexcept { return {data_, size_}; }

  // Room for `more` bytes at the end, which add() then counts.
  std::byte* room(std::size_t more) {
    if (capacity_ - size_ < more) grow(more);
    return data_ + size_;
  }
  void add(std::size_t bytes) noexcept { size_ += bytes; }

  void append(void const* from, std::size_t bytes) {
    if (bytes == 0) return;
    std::memcpy(room(bytes), from, bytes);
    size_ += bytes;
  }
  void drop_front(std::size_t bytes) noexcept {
    size_ -= bytes;
    if (size_ != 0) std::memmove(data_, data_ + bytes, size_);
  }
  void truncate(std::size_t bytes) noexcept { size_ = bytes; }

 private:
  void grow(std::size_t more) {
    std::size_t wanted = capacity_ + capacity_ / 2;
    if (wanted < size_ + more) wanted = size_ + more;
    if (wanted < 256) wanted = 256;
    void* const moved = std::realloc(data_, wanted);
    if (moved == nullptr) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(moved);
    capacity_ = wanted;
  }

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace plait::detail
