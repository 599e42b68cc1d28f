// The agenda of what will happen in a simulated run, and a hash over what has happened.
#pragma once

#include "random_numbers.hpp"

#include <plait/clock.hpp>

#include <compare>
#include <cstdint>
#include <functional>
#include <map>

namespace plait::io::sim {

// FNV-1a over all that happens: the same seed gives the same value.
class trace_hash {
 public:
  void add(std::uint64_t value) noexcept {
    for (int i = 0; i < 8; ++i) {
      value_ = (value_ ^ (value & 0xff)) * 0x100000001b3;
      value >>= 8;
    }
  }
  std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

// What will happen, in the order of time; at one time in random order.
class agenda {
  struct key {
    time_point at;
    std::uint64_t tie = 0;
    std::uint64_t number = 0;
    auto operator<=>(key const&) const = default;
  };

 public:
  using event = key;

  explicit agenda(random_numbers& random) noexcept : random_(random) {}

  time_point now() const noexcept { return now_; }
  event after(duration d, std::function<void()> what);
  void forget(event const& planned) { events_.erase(planned); }
  // Forgets everything, and takes nothing any more.
  void end();
  time_point next() const noexcept;  // no_deadline: nothing
  std::size_t size() const noexcept { return events_.size(); }
  void move_to(time_point t) noexcept { now_ = t > now_ ? t : now_; }
  // Does what is due now, and tells how much that was.
  std::size_t run_due();

 private:
  random_numbers& random_;
  time_point now_{std::chrono::seconds(1000)};
  std::uint64_t number_ = 0;
  bool ended_ = false;
  std::map<key, std::function<void()>> events_;
};

}  // namespace plait::io::sim
