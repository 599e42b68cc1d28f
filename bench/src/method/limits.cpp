#include "method/limits.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "method/usage.hpp"

namespace plait::lab {

namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

// A number from a file of /proc or of a control group; "max" and absence mean no limit.
double number_in(std::string const& path) {
  std::ifstream file(path);
  double value = 0;
  return file >> value ? value : unlimited;
}

double threads_alive() {
  std::ifstream file("/proc/loadavg");
  std::string word;
  for (int i = 0; i < 4; ++i) file >> word;  // "0.5 0.4 0.3 2/345 6789"
  auto const slash = word.find('/');
  return slash == std::string::npos ? 0 : std::atof(word.c_str() + slash + 1);
}

// This process's folder of a controller, in either layout of the hierarchy.
std::string cgroup_folder(std::string const& controller) {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    auto const first = line.find(':');
    auto const second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::string const names = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string const path = line.substr(second + 1);
    if (names == ",,") {
      std::string const folder = "/sys/fs/cgroup" + path;
      if (::access((folder + "/cgroup.controllers").c_str(), R_OK) == 0) return folder;
    } else if (names.find("," + controller + ",") != std::string::npos) {
      return "/sys/fs/cgroup/" + controller + path;
    }
  }
  return "/sys/fs/cgroup/" + controller;
}

double memory_left() {
  double const machine = proc_field("/proc/meminfo", "MemAvailable:");
  std::string const folder = cgroup_folder("memory");
  double const v2 = number_in(folder + "/memory.max") - number_in(folder + "/memory.current");
  double const v1 =
      number_in(folder + "/memory.limit_in_bytes") - number_in(folder + "/memory.usage_in_bytes");
  double left = machine;
  if (std::isfinite(v2)) left = std::min(left, v2);
  if (std::isfinite(v1)) left = std::min(left, v1);
  return left;
}

double user_processes() {
  rlimit limit{};
  if (::geteuid() == 0 || ::getrlimit(RLIMIT_NPROC, &limit) != 0) return unlimited;
  return limit.rlim_cur == RLIM_INFINITY ? unlimited : static_cast<double>(limit.rlim_cur);
}

std::string amount(std::string const& name, double value) {
  if (std::isnan(value)) return name;
  if (name != "memory") return fmt::format("{} {:.0f}", name, value);
  return fmt::format("memory {:.1f} GiB free", value / (1 << 30));
}

}  // namespace

machine_limits probe_limits() {
  machine_limits m{};
  m.nproc = user_processes();
  m.threads_max = number_in("/proc/sys/kernel/threads-max");
  m.pid_max = number_in("/proc/sys/kernel/pid_max");
  m.pids_cgroup = number_in(cgroup_folder("pids") + "/pids.max");
  m.max_map_count = number_in("/proc/sys/vm/max_map_count");
  rlimit files{};
  m.nofile = ::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max != RLIM_INFINITY
                 ? static_cast<double>(files.rlim_max)
                 : unlimited;
  m.memory = memory_left();
  m.threads_alive = threads_alive();
  return m;
}

std::string limit_hit::text() const { return amount(name, value); }

std::optional<limit_hit> find_limit(need const& n, machine_limits const& limits) {
  double const tasks = n.threads + n.processes;
  double const alive = limits.threads_alive + 64;
  if (tasks > 0) {
    if (tasks + alive > limits.pid_max) return limit_hit{"pid_max", limits.pid_max};
    if (tasks + alive > limits.threads_max) return limit_hit{"threads-max", limits.threads_max};
    if (tasks + alive > limits.nproc) return limit_hit{"RLIMIT_NPROC", limits.nproc};
    if (tasks + 64 > limits.pids_cgroup) return limit_hit{"pids.max", limits.pids_cgroup};
  }
  if (n.maps + 64 > limits.max_map_count) return limit_hit{"max_map_count", limits.max_map_count};
  if (n.descriptors + 32 > limits.nofile) return limit_hit{"RLIMIT_NOFILE", limits.nofile};
  if (n.memory > limits.memory * 0.8) return limit_hit{"memory", limits.memory};
  return std::nullopt;
}

double raise_descriptor_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 0;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  ::getrlimit(RLIMIT_NOFILE, &files);
  return static_cast<double>(files.rlim_cur);
}

}  // namespace plait::lab
