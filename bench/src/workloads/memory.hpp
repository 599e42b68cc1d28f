#pragma once

#include "method/cell.hpp"
#include "method/usage.hpp"

namespace plait::lab {

// The books of cost.memory: make one before the units exist, call parked() when all n of them
// wait, and result() after they have gone. `released` is how many of them reported back.
class memory_book {
 public:
  explicit memory_book(cell const& c);
  void parked();
  rep_result result(long released) const;

 private:
  long units_;
  memory_sample before_;
  memory_sample after_;
  usage usage_before_;
  std::uint64_t began_;
  std::uint64_t parked_ = 0;
};

}  // namespace plait::lab
