#include "usable_cpus.hpp"

#include <plait/thread_pool.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sched.h>
#include <string>
#include <thread>

namespace plait {

namespace {

std::string first_line(std::string const& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

unsigned cpus_of_mask() noexcept {
  // The kernel refuses a mask that is smaller than its own; 8192 CPUs are its largest build.
  constexpr int cpus_max = 8192;
  unsigned found = 0;
  if (cpu_set_t* const mask = CPU_ALLOC(cpus_max)) {
    std::size_t const bytes = CPU_ALLOC_SIZE(cpus_max);
    if (::sched_getaffinity(0, bytes, mask) == 0) {
      found = static_cast<unsigned>(CPU_COUNT_S(bytes, mask));
    }
    CPU_FREE(mask);
  }
  return found != 0 ? found : std::max(1u, std::thread::hardware_concurrency());
}

// A limit may stand in any group from the process's own up to the root.
unsigned smallest_quota(std::string const& mount, std::string group, bool version_2) {
  unsigned smallest = 0;
  for (;;) {
    std::string const here = mount + group;
    unsigned const limit = detail::cpus_of_quota(
        version_2 ? first_line(here + "/cpu.max")
                  : first_line(here + "/cpu.cfs_quota_us") + " " + first_line(here + "/cpu.cfs_period_us"));
    if (limit != 0 && (smallest == 0 || limit < smallest)) smallest = limit;
    if (group.empty() || group == "/") return smallest;
    group.resize(group.rfind('/'));
  }
}

unsigned cpus_of_cgroup() {
  unsigned smallest = 0;
  auto const note = [&smallest](unsigned limit) {
    if (limit != 0 && (smallest == 0 || limit < smallest)) smallest = limit;
  };
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // hierarchy:controllers:path
    auto const second = line.find(':');
    auto const third = line.find(':', second + 1);
    if (second == std::string::npos || third == std::string::npos) continue;
    std::string const controllers = "," + line.substr(second + 1, third - second - 1) + ",";
    std::string const path = line.substr(third + 1);
    if (controllers == ",,") note(smallest_quota("/sys/fs/cgroup", path, true));
    if (controllers.find(",cpu,") != std::string::npos) {
      note(smallest_quota("/sys/fs/cgroup/cpu", path, false));
    }
  }
  return smallest;
}

}  // namespace

namespace detail {

unsigned cpus_of_quota(std::string_view text) noexcept {
  long long quota = 0;
  long long period = 0;
  char const* const end = text.data() + text.size();
  auto const [after, error] = std::from_chars(text.data(), end, quota);
  if (error != std::errc() || after == end || quota <= 0) return 0;
  if (std::from_chars(after + 1, end, period).ec != std::errc() || period <= 0) return 0;
  long long const cpus = quota / period + (quota % period != 0);
  return static_cast<unsigned>(std::clamp<long long>(cpus, 1, 65536));
}

}  // namespace detail

unsigned usable_cpus() noexcept {
  unsigned const mask = cpus_of_mask();
  try {
    unsigned const quota = cpus_of_cgroup();
    return quota == 0 ? mask : std::min(mask, quota);
  } catch (...) {  // no memory to look: the mask is still true
    return mask;
  }
}

}  // namespace plait
