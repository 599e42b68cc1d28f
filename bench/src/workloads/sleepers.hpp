#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "method/window.hpp"
#include "workloads/units.hpp"

namespace plait::lab {

inline constexpr std::uint64_t sleeper_ns = 100'000'000;

// The books of io.sleepers, for models that cannot be called back: each sleeper of a batch
// writes how long it took, in nanoseconds, into its place of took().
class sleeper_book {
 public:
  explicit sleeper_book(cell const& c);
  bool more();
  std::span<std::uint64_t> took() { return took_.items(); }
  void batch_done();  // throws where somebody woke too early or not at all
  rep_result result() const;

 private:
  window window_;
  shared_array<std::uint64_t> took_;
  histogram latency_;
};

// The whole repetition around a function that runs one batch.
rep_result run_sleepers(cell const& c, std::function<void(std::span<std::uint64_t>)> const& batch);

}  // namespace plait::lab
