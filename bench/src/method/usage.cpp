#include "method/usage.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

namespace plait::lab {

namespace {

double seconds(timeval const& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

usage from(rusage const& r) {
  return {seconds(r.ru_utime), seconds(r.ru_stime), static_cast<double>(r.ru_nvcsw),
          static_cast<double>(r.ru_nivcsw)};
}

std::string proc_path(pid_t pid, char const* rest) {
  return "/proc/" + std::to_string(pid) + "/" + rest;
}

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> threads;
  if (DIR* directory = ::opendir(proc_path(pid, "task").c_str())) {
    while (dirent const* entry = ::readdir(directory))
      if (int const tid = std::atoi(entry->d_name); tid > 0) threads.push_back(tid);
    ::closedir(directory);
  }
  return threads;
}

// A child is listed under the thread that made it.
std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  for (pid_t const tid : threads_of(pid)) {
    auto const path = proc_path(pid, "task/") + std::to_string(tid) + "/children";
    if (std::FILE* file = std::fopen(path.c_str(), "re")) {
      int child = 0;
      while (std::fscanf(file, "%d", &child) == 1) children.push_back(child);
      std::fclose(file);
    }
  }
  return children;
}

usage of_thread(pid_t pid, pid_t tid) {
  usage spent;
  auto const base = proc_path(pid, "task/") + std::to_string(tid);
  if (std::FILE* file = std::fopen((base + "/schedstat").c_str(), "re")) {
    unsigned long long nanoseconds = 0;
    if (std::fscanf(file, "%llu", &nanoseconds) == 1)
      spent.user_s = static_cast<double>(nanoseconds) / 1e9;
    std::fclose(file);
  }
  if (std::FILE* file = std::fopen((base + "/status").c_str(), "re")) {
    char line[256];
    while (std::fgets(line, sizeof line, file)) {
      if (!std::strncmp(line, "voluntary_ctxt_switches:", 24))
        spent.voluntary = std::atof(line + 24);
      if (!std::strncmp(line, "nonvoluntary_ctxt_switches:", 27))
        spent.involuntary = std::atof(line + 27);
    }
    std::fclose(file);
  }
  return spent;
}

void add_memory(pid_t pid, memory_sample& sum) {
  auto const rollup = proc_path(pid, "smaps_rollup");
  sum.rss += proc_field(rollup.c_str(), "Rss:");
  sum.pss += proc_field(rollup.c_str(), "Pss:");
  sum.page_tables += proc_field(proc_path(pid, "status").c_str(), "VmPTE:");
  for (pid_t const child : children_of(pid)) add_memory(child, sum);
}

}  // namespace

usage& usage::operator+=(usage const& other) {
  user_s += other.user_s;
  system_s += other.system_s;
  voluntary += other.voluntary;
  involuntary += other.involuntary;
  return *this;
}

usage operator-(usage a, usage const& b) {
  a.user_s -= b.user_s;
  a.system_s -= b.system_s;
  a.voluntary -= b.voluntary;
  a.involuntary -= b.involuntary;
  return a;
}

usage usage_of(pid_t pid) {
  usage spent;
  for (pid_t const tid : threads_of(pid)) spent += of_thread(pid, tid);
  for (pid_t const child : children_of(pid)) spent += usage_of(child);
  return spent;
}

usage usage_now() {
  rusage own{};
  rusage reaped{};
  ::getrusage(RUSAGE_SELF, &own);
  ::getrusage(RUSAGE_CHILDREN, &reaped);
  usage spent = from(own);
  spent += from(reaped);
  for (pid_t const child : children_of(::getpid())) spent += usage_of(child);
  return spent;
}

double proc_field(char const* path, char const* name) {
  std::FILE* file = std::fopen(path, "re");
  if (!file) return 0;
  char line[256];
  double bytes = 0;
  std::size_t const length = std::strlen(name);
  while (std::fgets(line, sizeof line, file)) {
    if (!std::strncmp(line, name, length)) {
      bytes = std::atof(line + length) * 1024;
      break;
    }
  }
  std::fclose(file);
  return bytes;
}

memory_sample memory_now() {
  memory_sample sum;
  add_memory(::getpid(), sum);
  sum.kernel_stacks = proc_field("/proc/meminfo", "KernelStack:");
  sum.slab = proc_field("/proc/meminfo", "Slab:");
  sum.available = proc_field("/proc/meminfo", "MemAvailable:");
  return sum;
}

}  // namespace plait::lab
