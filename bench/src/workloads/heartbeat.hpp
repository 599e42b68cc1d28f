#pragma once

#include <cstdint>

#include "method/window.hpp"

namespace plait::lab {

// The books of mix.heartbeat: a tick is due every millisecond, and each counts as late as the loop
// noticed it, those too that came due while the loop was busy. Used by one thread.
class heartbeat {
 public:
  static constexpr std::uint64_t period_ns = 1'000'000;

  explicit heartbeat(cell const& c);

  // False once the measured time is over. Call it after each beat.
  bool more();
  std::uint64_t next_due() const { return due_; }
  // Notes every tick due by now.
  void beat();
  void job_done(int answer);  // of heartbeat_job; throws where it is wrong

  rep_result result() const;

 private:
  window window_;
  std::uint64_t due_;
  histogram late_;
};

// The CPU work of the workload, about 5 ms.
int heartbeat_job();

}  // namespace plait::lab
