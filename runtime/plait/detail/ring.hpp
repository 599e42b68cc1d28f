// A queue in one block of memory: what stands under channels and queues. Room is made by `grow`
// alone, so that pushing allocates nothing. An item whose move throws stays where it was.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace plait::detail {

template <class T>
class ring {
 public:
  explicit ring(std::size_t room = 0) {
    if (room == 0) return;
    if (room > std::numeric_limits<std::size_t>::max() / 4 / sizeof(T))
      throw std::bad_array_new_length();
    slots_ = std::bit_ceil(room);
    items_ = std::allocator<T>().allocate(slots_);
  }
  ring(ring const&) = delete;
  ring& operator=(ring const&) = delete;
  ~ring() {
    clear();
    if (items_ != nullptr) std::allocator<T>().deallocate(items_, slots_);
  }

  std::size_t size() const noexcept { return pushed_ - popped_; }
  bool empty() const noexcept { return pushed_ == popped_; }
  bool full() const noexcept { return size() == slots_; }
  T& front() noexcept { return at(popped_); }
  // The n-th from the front.
  T& operator[](std::size_t n) noexcept { return at(popped_ + n); }

  // There must be room.
  template <class U>
  void push(U&& item) {
    std::construct_at(&at(pushed_), std::forward<U>(item));
    ++pushed_;
  }
  void pop() noexcept {
    std::destroy_at(&front());
    ++popped_;
  }
  void clear() noexcept {
    while (!empty()) pop();
  }

  // Twice the room. Where that fails nothing has changed, unless T's move may throw and it has no
  // copy.
  void grow() {
    ring larger(std::max<std::size_t>(8, 2 * slots_));
    for (std::size_t n = 0; n < size(); ++n) larger.push(std::move_if_noexcept((*this)[n]));
    swap(larger);
  }

  void swap(ring& other) noexcept {
    std::swap(items_, other.items_);
    std::swap(slots_, other.slots_);
    std::swap(pushed_, other.pushed_);
    std::swap(popped_, other.popped_);
  }

 private:
  T& at(std::size_t n) const noexcept { return items_[n & (slots_ - 1)]; }

  T* items_ = nullptr;
  std::size_t slots_ = 0;   // a power of two, or none
  std::size_t pushed_ = 0;  // both count on and wrap around
  std::size_t popped_ = 0;
};

}  // namespace plait::detail
