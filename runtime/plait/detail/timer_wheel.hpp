// Deadlines in a hierarchical wheel: arm and cancel in constant time, without allocation.
//
// Eight levels of 64 slots; a tick is 2^16 ns. A timer stands at the level of the highest 6-bit
// digit in which its tick differs from the current tick, and moves down when the current tick enters
// its slot. The slot of the current tick is the `due_` list, sorted by deadline, which makes firing
// exact to the nanosecond; equal deadlines fire in the order in which they were armed.
//
// After: Varghese and Lauck, "Hashed and hierarchical timing wheels", SOSP 1987.
#pragma once

#include <plait/clock.hpp>
#include <plait/detail/ledger.hpp>

#include <cstddef>
#include <cstdint>

namespace plait::detail {

struct timer_link {
  timer_link* next = nullptr;
  timer_link* previous = nullptr;
};

// Pinned while armed. `fire` runs on the scheduler's thread and may arm and cancel any timer.
struct timer : timer_link {
  using fire_fn = void (*)(timer&) noexcept;
  explicit timer(fire_fn what) noexcept : fire(what) {}

  bool armed() const noexcept { return next != nullptr; }

  time_point deadline{};
  fire_fn fire;
};

class timer_wheel {
 public:
  explicit timer_wheel(time_point now) noexcept;
  timer_wheel(timer_wheel const&) = delete;
  timer_wheel& operator=(timer_wheel const&) = delete;

  std::size_t armed() const noexcept { return armed_; }

  // The timer must not be armed. A deadline in the past is due at once.
  void arm(timer& t, time_point deadline) noexcept;

  // The timer must be armed.
  void cancel(timer& t) noexcept {
    unlink(t);
    --armed_;
    count(&ledger::timers, -1);
  }

  // Fires what is due at `now`, in order of deadlines, at most `most` of them; returns how many.
  std::size_t fire_due(time_point now, std::size_t most) noexcept;

  // Nothing is due before this. It is exact where few timers share the next slot, else it is the
  // slot's beginning, at which fire_due sorts the slot and knows.
  time_point next_deadline() noexcept;

 private:
  static constexpr int digit_bits = 6;
  static constexpr int slots = 1 << digit_bits;
  static constexpr int levels = 8;
  static constexpr int tick_shift = 16;

  struct slot_position {
    int level;
    int slot;
    std::uint64_t start_tick;
  };

  static std::uint64_t tick_of(time_point when) noexcept;
  static void unlink(timer& t) noexcept;
  static void push_back(timer_link& list, timer& t) noexcept;
  void insert_due(timer& t) noexcept;
  void place(timer& t) noexcept;
  bool first_occupied(slot_position& found) noexcept;
  void advance(std::uint64_t now_tick) noexcept;
  void take_slot(slot_position at) noexcept;

  timer_link due_;
  std::uint64_t current_tick_;
  std::size_t armed_ = 0;
  std::uint64_t occupied_[levels]{};  // may hold bits of slots that cancel has emptied
  timer_link slots_[levels][slots];
};

}  // namespace plait::detail
