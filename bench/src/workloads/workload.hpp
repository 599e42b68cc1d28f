#pragma once

#include <string_view>
#include <vector>

#include "method/cell.hpp"
#include "method/limits.hpp"

namespace plait::lab {

// What a workload's figure is, and with it the unit of rep_result::value.
enum class metric {
  per_second,        // operations per second; higher is better
  bytes_per_second,  // higher is better
  time_per_op,       // seconds; lower is better
  lateness,          // seconds, mean; lower is better
  bytes_per_unit,    // lower is better
};
bool higher_is_better(metric m);

// One model's way of doing a workload. `run` is called in a process of its own, and reports a
// failure or a wrong answer by throwing, or in rep_result::error.
struct model_entry {
  std::string_view name;
  rep_result (*run)(cell const& c);
  need (*needs)(cell const& c) = nullptr;  // at its peak; nothing worth naming if null
  bool on_driver = false;                  // plait's own I/O: once for each driver asked for
};

// A row of the registry: a question, and the models that can answer it.
struct workload {
  std::string_view id;         // "io.echo"; the part before the dot is its group
  std::string_view title;      // what is done, one line
  std::string_view operation;  // "message": what CPU time and switches are counted per
  metric figure;
  std::vector<long> sizes;       // N where the command line gives none
  std::vector<long> full_sizes;  // N of --full
  std::vector<model_entry> models;

  model_entry const* find(std::string_view model) const;
};

// All workloads, in the order of the tables.
std::vector<workload> const& workloads();
workload const* find_workload(std::string_view id);

// One per file of this folder; registry.cpp puts them in order. To add a workload, write a file
// with such a function and name it in both places.
workload io_sleepers();
workload io_echo();
workload io_files();
workload cpu_primes();
workload cpu_sha256();
workload mix_heartbeat();
workload cost_await();
workload cost_yield();
workload cost_spawn();
workload cost_memory();

}  // namespace plait::lab
