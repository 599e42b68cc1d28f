// A function that gives one value after the other, when they are asked for: an input range.
//
//     plait::generator<int> squares(int below) {
//       for (int i = 0; i < below; ++i) co_yield i * i;
//     }
//     for (int n : squares(10)) use(n);
//
// Nothing of it runs before begin(), and then as far as the next co_yield. What it throws comes out of
// begin() or ++, and it has ended then. A generator that is destroyed before its end destroys its locals. It
// needs no scheduler and cannot await: a `while` with a channel's receive does that. generator<T> gives T&&,
// of which the consumer may move: what is yielded as an lvalue is copied first. generator<T&> and
// generator<T const&> give the very object. It may be handed to another thread, while it is not running.
// One pass; after std::generator of C++23.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

namespace plait {

template <class T>
class [[nodiscard("nothing of it runs before it is iterated")]] generator : public std::ranges::view_base {
  using value = std::remove_cvref_t<T>;

 public:
  class promise_type;
  class iterator;

  generator(generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  generator& operator=(generator&& other) noexcept {
    generator old(std::move(*this));
    frame_ = std::exchange(other.frame_, nullptr);
    return *this;
  }
  ~generator() {
    if (frame_) frame_.destroy();
  }

  // Once.
  iterator begin() {
    iterator first(frame_);
    ++first;
    return first;
  }
  std::default_sentinel_t end() const noexcept { return std::default_sentinel; }

 private:
  explicit generator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

template <class T>
class generator<T>::promise_type {
 public:
  generator get_return_object() noexcept {
    return generator(std::coroutine_handle<promise_type>::from_promise(*this));
  }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  std::suspend_always final_suspend() const noexcept { return {}; }

  std::suspend_always yield_value(T&& item) noexcept {
    item_ = std::addressof(item);
    return {};
  }
  std::suspend_always yield_value(value const& item) noexcept(std::is_nothrow_copy_constructible_v<value>)
    requires(!std::is_reference_v<T>) && std::is_copy_constructible_v<value>
  {
    item_ = std::addressof(copy_.emplace(item));
    return {};
  }
  void return_void() const noexcept {}
  // For whoever has asked for the next value. Not thrown from here: clang 19 would then destroy the locals
  // once more with the frame.
  void unhandled_exception() noexcept { error_ = std::current_exception(); }

  template <class A>
  void await_transform(A&&) = delete;  // a generator cannot await

 private:
  friend class iterator;

  std::remove_reference_t<T>* item_ = nullptr;
  std::optional<value> copy_;
  std::exception_ptr error_;
};

template <class T>
class generator<T>::iterator {
 public:
  using value_type = value;
  using difference_type = std::ptrdiff_t;

  iterator(iterator&&) noexcept = default;
  iterator& operator=(iterator&&) noexcept = default;

  T&& operator*() const noexcept { return static_cast<T&&>(*frame_.promise().item_); }
  iterator& operator++() {
    frame_.resume();
    if (auto& error = frame_.promise().error_) std::rethrow_exception(std::exchange(error, nullptr));
    return *this;
  }
  void operator++(int) { ++*this; }
  bool operator==(std::default_sentinel_t) const noexcept { return frame_.done(); }

 private:
  friend class generator;
  explicit iterator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

}  // namespace plait
