#pragma once

#include <map>
#include <string>

namespace plait::lab {

// Where and how a run was made: all that a reader of its figures may ask.
struct environment {
  std::string tool_version, git_hash, compiler, flags, build_type;
  bool sanitized = false;
  bool assertions = false;
  bool optimised = true;

  std::string cpu_model, kernel, hypervisor, governor, mitigations, c_library;
  int cpus = 1;  // that this process may use
  int cpus_online = 1;
  bool smt = false;
  bool turbo = false;  // known to be on
  double memory_bytes = 0;

  std::string driver;  // that plait chooses here
  std::string driver_reason;

  std::map<std::string, double> limits;
  double load_before = 0;
  double pressure_before = 0;  // CPU pressure, "some", per cent of the last 10 s
  double pressure_after = 0;
  double steal = 0;     // part of the machine's CPU time in the run, 0..1
  std::string started;  // UTC, ISO 8601
};

environment probe_environment();

// The figures of the machine's CPUs so far; two of them give steal.
struct machine_time {
  double total = 0;
  double steal = 0;
};
machine_time machine_time_now();
double cpu_pressure();  // 0 where the kernel does not tell

// The first line of a small file, trimmed; empty if it cannot be read.
std::string first_line(std::string const& path);

}  // namespace plait::lab
