#pragma once

#include <cstdint>

#include "method/cell.hpp"

namespace plait::lab {

// CLOCK_MONOTONIC.
std::uint64_t now_ns();

// Decides when a repetition's warm-up ends and its measured window ends, and keeps its books:
//
//     window w(c);
//     while (w.more()) w.add(do_a_batch());
//     return w.result();
//
// more() is asked between batches, from one thread; the window is closed at the first batch that
// ends past its time, so it is as long as asked or one batch longer.
class window {
 public:
  explicit window(cell const& c);

  bool more();
  void add(double ops) { ops_ += ops; }
  // True in the measured part: what a unit notes down (a latency) counts only then.
  bool counting() const { return phase_ == phase::counting; }

  // Operations, time, usage and drift of the window; `value` is operations per second.
  rep_result result() const;

 private:
  enum class phase { before, warming, counting, closed };
  void open();

  phase phase_ = phase::before;
  std::uint64_t warmup_ns_;
  std::uint64_t window_ns_;
  std::uint64_t began_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t half_at_ = 0;
  double half_ops_ = 0;
  double ops_ = 0;
  usage usage_began_;
  usage used_;
};

}  // namespace plait::lab
