// Where a coroutine leaves its value or its exception until the awaiter takes it.
#pragma once

#include <plait/detail/config.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace plait::detail {

// Out of line, so that a coroutine that does not fail has no stack frame and no saved registers on
// their account.
[[noreturn]] void rethrow(std::exception_ptr const& error);
void keep_current_exception(std::exception_ptr& into) noexcept;
PLAIT_COLD_CALL void drop_error(std::exception_ptr& error) noexcept;

template <class T>
class result_slot {
  using stored = std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>;

 public:
  result_slot() noexcept {}
  result_slot(result_slot const&) = delete;
  result_slot& operator=(result_slot const&) = delete;
  ~result_slot() {
    if (holds_ == holds::value) {
      std::destroy_at(std::addressof(value_));
    } else if (holds_ == holds::error) [[unlikely]] {
      drop_error(error_);
    }
  }

  template <class U>
  void emplace(U&& value) {
    if constexpr (std::is_reference_v<T>) {
      value_ = std::addressof(value);
    } else {
      std::construct_at(std::addressof(value_), std::forward<U>(value));
    }
    holds_ = holds::value;
  }

  // Also after a value: an exception from a destructor of the body's locals replaces it.
  void fail(std::exception_ptr error) noexcept {
    if (holds_ == holds::value) std::destroy_at(std::addressof(value_));
    std::construct_at(std::addressof(error_), std::move(error));
    holds_ = holds::error;
  }
  void fail_with_current() noexcept {
    if (holds_ == holds::value) std::destroy_at(std::addressof(value_));
    keep_current_exception(*std::construct_at(std::addressof(error_)));
    holds_ = holds::error;
  }

  bool failed() const noexcept { return holds_ == holds::error; }
  std::exception_ptr error() const noexcept {
    return holds_ == holds::error ? error_ : std::exception_ptr();
  }

  T take() {
    if (holds_ == holds::error) [[unlikely]] rethrow(error_);
    PLAIT_ASSERT(holds_ == holds::value, "a task's value was asked for before it had one");
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*value_);
    } else {
      return std::move(value_);
    }
  }

 private:
  enum class holds : std::uint8_t { nothing, value, error };

  union {
    stored value_;
    std::exception_ptr error_;
  };
  holds holds_ = holds::nothing;
};

template <>
class result_slot<void> {
 public:
  result_slot() noexcept : error_() {}
  result_slot(result_slot const&) = delete;
  result_slot& operator=(result_slot const&) = delete;
  ~result_slot() {
    if (error_ != nullptr) [[unlikely]] drop_error(error_);
  }

  void fail(std::exception_ptr error) noexcept { error_ = std::move(error); }
  void fail_with_current() noexcept { keep_current_exception(error_); }
  bool failed() const noexcept { return error_ != nullptr; }
  std::exception_ptr error() const noexcept { return error_; }
  void take() {
    if (error_ != nullptr) [[unlikely]] rethrow(error_);
  }

 private:
  union {
    std::exception_ptr error_;  // destroyed by drop_error
  };
};

}  // namespace plait::detail
