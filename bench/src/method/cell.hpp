#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "method/histogram.hpp"
#include "method/usage.hpp"

namespace plait::lab {

// One square of the matrix: a workload done by a model, `n` units at once.
struct cell {
  std::string workload;
  std::string model;  // with the driver where one was asked for: "coro/io_uring"
  long n = 1;
  int workers = 1;  // of a pool, and CPUs meant to be used
  double window_s = 1;
  double warmup_s = 0.25;
  std::uint64_t seed = 1;  // of the cell's data, not of the order

  // "coro" of "coro/io_uring", and "io_uring" (empty where no driver was asked for).
  std::string_view model_name() const;
  std::string_view driver() const;
  std::string label() const;  // "io.echo coro N=1k"
};

// Memory per unit, in bytes: `system` is what the table shows, the others are its parts.
struct unit_memory {
  double rss = 0;
  double pss = 0;
  double page_tables = 0;
  double kernel_stacks = 0;
  double slab = 0;
  double available = 0;  // MemAvailable lost, an independent and coarser view of the same

  double system() const { return pss + page_tables + kernel_stacks + slab; }
};

// What one repetition found. A wrong answer or a failure is an `error`, and then nothing else
// counts.
struct rep_result {
  double ops = 0;
  double wall_s = 0;
  double value = 0;  // the workload's figure, in the unit of its metric
  usage used;        // in the window, by the process tree that did the work
  double drift = 0;  // rate of the second half against the first, minus 1; 0 where unknown
  std::optional<unit_memory> memory;
  histogram latency;
  std::map<std::string, double> extra;
  std::string error;

  // Filled in by the parent, from wait4.
  usage process;
  long max_rss_kib = 0;
};

std::string to_json(cell const& c);
cell cell_from_json(std::string_view text);
std::string to_json(rep_result const& r);
// Throws std::exception with what is wrong with the text.
rep_result rep_from_json(std::string_view text);

}  // namespace plait::lab
