// An item whose move throws when a test wants it to.
#pragma once

namespace plait::test {

struct throwing_move {
  struct error {};
  static inline int after = -1;  // so many moves go well, then one throws; negative: none does

  explicit throwing_move(int number) noexcept : value(number) {}
  throwing_move(throwing_move&& other) : value(other.value) {
    if (after >= 0 && after-- == 0) throw error();
    other.value = 0;
  }
  throwing_move& operator=(throwing_move&&) = default;

  int value;
};

}  // namespace plait::test
