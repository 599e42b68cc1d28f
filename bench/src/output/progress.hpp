#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "method/report.hpp"
#include "output/format.hpp"

namespace plait::lab {

// Where a run stands, on standard error: one line drawn over itself on a terminal, at most ten
// times a second; elsewhere one plain line for each finished cell.
class progress {
 public:
  progress(bool wanted, look style, double seconds_in_all);
  ~progress();  // clears the line
  progress(progress const&) = delete;
  progress& operator=(progress const&) = delete;

  void turn_begins(cell_result const& c, int repetitions);
  void turn_skipped(double estimated_s) { done_s_ += estimated_s; }
  void turn_ends(cell_result const& c, int repetitions, double estimated_s);

 private:
  void draw(cell_result const& c, int repetitions);
  void clear();
  double seconds_left() const;

  bool wanted_;
  bool terminal_;
  look style_;
  double total_s_;
  double done_s_ = 0;  // estimated seconds of the turns done
  std::uint64_t began_;
  std::uint64_t drawn_ = 0;
  bool visible_ = false;
};

}  // namespace plait::lab
