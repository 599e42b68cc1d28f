#include "method/environment.hpp"

#include <cmath>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <sys/utsname.h>

#include <plait/driver.hpp>

#include "build_info.hpp"
#include "method/child.hpp"
#include "method/limits.hpp"
#include "method/usage.hpp"

namespace plait::lab {

namespace {

std::string cpuinfo(std::string const& name) {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line))
    if (line.starts_with(name))
      if (auto const colon = line.find(": "); colon != std::string::npos)
        return line.substr(colon + 2);
  return {};
}

std::string find_hypervisor() {
  if (auto const name = first_line("/sys/hypervisor/type"); !name.empty()) return name;
  std::istringstream flags(cpuinfo("flags"));
  std::string flag;
  while (flags >> flag)
    if (flag == "hypervisor") {
      auto const vendor = first_line("/sys/class/dmi/id/sys_vendor");
      return vendor.empty() ? "yes" : vendor;
    }
  return {};
}

std::string find_mitigations() {
  std::string vulnerable;
  for (char const* name : {"spectre_v2", "meltdown", "mds", "retbleed", "spec_store_bypass"}) {
    auto const state = first_line(fmt::format("/sys/devices/system/cpu/vulnerabilities/{}", name));
    if (state.starts_with("Vulnerable"))
      vulnerable += fmt::format("{}{}", vulnerable.empty() ? "" : ", ", name);
  }
  return vulnerable.empty() ? "on" : "off for " + vulnerable;
}

bool turbo_on() {
  return first_line("/sys/devices/system/cpu/cpufreq/boost") == "1" ||
         first_line("/sys/devices/system/cpu/intel_pstate/no_turbo") == "0";
}

void probe_build(environment& e) {
  e.tool_version = build_info::version;
  e.git_hash = build_info::git_hash;
  e.compiler = build_info::compiler;
  e.flags = build_info::flags;
  e.build_type = build_info::build_type;
  e.sanitized = build_info::sanitized;
  e.assertions = build_info::assertions;
#ifndef __OPTIMIZE__
  e.optimised = false;
#endif
}

void probe_driver(environment& e) {
  try {
    driver_report const chosen = choose_driver();
    e.driver = chosen.kind == driver_kind::io_uring ? "io_uring" : "epoll";
    e.driver_reason = chosen.reason;
  } catch (std::exception const& refused) {
    e.driver = "none";
    e.driver_reason = refused.what();
  }
}

}  // namespace

std::string first_line(std::string const& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.pop_back();
  return line;
}

machine_time machine_time_now() {
  std::istringstream line(first_line("/proc/stat"));
  std::string cpu;
  line >> cpu;
  machine_time t;
  // user nice system idle iowait irq softirq steal; guest time is within user time.
  double value = 0;
  for (int i = 0; i < 8 && line >> value; ++i) {
    t.total += value;
    if (i == 7) t.steal = value;
  }
  return t;
}

double cpu_pressure() {
  auto const line = first_line("/proc/pressure/cpu");  // some avg10=0.00 avg60=...
  auto const at = line.find("avg10=");
  return at == std::string::npos ? 0 : std::strtod(line.c_str() + at + 6, nullptr);
}

environment probe_environment() {
  environment e;
  probe_build(e);
  utsname name{};
  ::uname(&name);
  e.kernel = name.release;
  e.cpu_model = cpuinfo("model name");
  if (e.cpu_model.empty()) e.cpu_model = name.machine;
  e.hypervisor = find_hypervisor();
  e.governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  e.mitigations = find_mitigations();
  e.c_library = fmt::format("glibc {}", ::gnu_get_libc_version());
  e.cpus = usable_cpus();
  e.cpus_online = static_cast<int>(std::thread::hardware_concurrency());
  e.smt = first_line("/sys/devices/system/cpu/smt/active") == "1";
  e.turbo = turbo_on();
  e.memory_bytes = proc_field("/proc/meminfo", "MemTotal:");
  probe_driver(e);
  machine_limits const m = probe_limits();
  for (auto const& [key, value] : std::map<std::string, double>{{"RLIMIT_NPROC", m.nproc},
                                                                {"threads-max", m.threads_max},
                                                                {"pid_max", m.pid_max},
                                                                {"pids.max", m.pids_cgroup},
                                                                {"max_map_count", m.max_map_count},
                                                                {"RLIMIT_NOFILE", m.nofile},
                                                                {"memory", m.memory}})
    if (std::isfinite(value)) e.limits[key] = value;
  e.load_before = std::strtod(first_line("/proc/loadavg").c_str(), nullptr);
  e.pressure_before = cpu_pressure();
  e.started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  return e;
}

}  // namespace plait::lab
