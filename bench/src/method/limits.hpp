#pragma once

#include <optional>
#include <string>

namespace plait::lab {

// What a cell takes at its peak.
struct need {
  double threads = 0;
  double processes = 0;
  double descriptors = 0;  // in one process
  double maps = 0;         // memory mappings in one process
  double memory = 0;       // bytes, of the whole machine
};

// The limits that hold for this process, and what is in use of them; infinity where none is set.
struct machine_limits {
  double nproc;          // RLIMIT_NPROC; none for root
  double threads_max;    // kernel.threads-max
  double pid_max;        // kernel.pid_max
  double pids_cgroup;    // pids.max of the control group
  double max_map_count;  // vm.max_map_count
  double nofile;         // RLIMIT_NOFILE, hard: the lab raises its own soft limit to it
  double memory;         // bytes free: MemAvailable, or less where the control group says so
  double threads_alive;  // on the whole machine
};
machine_limits probe_limits();

struct limit_hit {
  std::string name;          // "pid_max"
  double value = 0;          // NaN where the name says it all
  std::string text() const;  // "pid_max 32768", "memory 0.4 GiB free"
};

// The first limit that the need runs into, with a margin for what else runs; nothing if
// it fits.
std::optional<limit_hit> find_limit(need const& n, machine_limits const& limits);

// Raises the soft RLIMIT_NOFILE to the hard one. Returns what holds afterwards.
double raise_descriptor_limit();

}  // namespace plait::lab
