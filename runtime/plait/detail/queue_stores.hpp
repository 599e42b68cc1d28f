// Where a queue keeps its items: the order in which it gives them. push may allocate, and where that fails
// nothing has changed; where something has just been taken it does not.
#pragma once

#include <plait/detail/ring.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

namespace plait::detail {

template <class T>
class fifo_store {
 public:
  std::size_t size() const noexcept { return items_.size(); }
  void push(T&& item) {
    if (items_.full()) items_.grow();
    items_.push(std::move(item));
  }
  T take() noexcept {
    T item = std::move(items_.front());
    items_.pop();
    return item;
  }
  friend void swap(fifo_store& a, fifo_store& b) noexcept { a.items_.swap(b.items_); }

 private:
  ring<T> items_;
};

template <class T>
class lifo_store {
 public:
  std::size_t size() const noexcept { return items_.size(); }
  void push(T&& item) { items_.push_back(std::move(item)); }
  T take() noexcept {
    T item = std::move(items_.back());
    items_.pop_back();
    return item;
  }

 private:
  std::vector<T> items_;
};

// A binary heap. Equal items are given in the order in which they came, for which each has a number.
template <class T, class Compare>
class priority_store {
  static_assert(std::is_nothrow_move_assignable_v<T>,
                "a priority_queue moves its items about, and that must not throw: put a std::unique_ptr of "
                "them, with a Compare");

 public:
  std::size_t size() const noexcept { return heap_.size(); }
  void push(T&& item) {
    heap_.push_back(entry{std::move(item), next_++});
    sift_up();
  }
  T take() noexcept {
    std::pop_heap(heap_.begin(), heap_.end(), comes_later);
    T item = std::move(heap_.back().item);
    heap_.pop_back();
    return item;
  }

 private:
  struct entry {
    T item;
    std::uint64_t number;
  };

  void sift_up() noexcept { std::push_heap(heap_.begin(), heap_.end(), comes_later); }
  static bool comes_later(entry const& a, entry const& b) noexcept {
    Compare const before{};
    if (before(b.item, a.item)) return true;
    if (before(a.item, b.item)) return false;
    return b.number < a.number;
  }

  std::vector<entry> heap_;
  std::uint64_t next_ = 0;
};

}  // namespace plait::detail
