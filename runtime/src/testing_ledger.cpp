#include <plait/testing/ledger.hpp>

#include <plait/detail/config.hpp>
#include <plait/detail/ledger.hpp>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <thread>

#include <dirent.h>
#include <unistd.h>

namespace plait::testing {
namespace {

struct directory_closer {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};

// The entries of a directory of /proc whose names are numbers.
template <class Each>
void each_number_in(std::string const& path, Each each) {
  std::unique_ptr<DIR, directory_closer> const dir(::opendir(path.c_str()));
  PLAIT_CHECK(dir != nullptr, "the ledger cannot look into /proc/self; is /proc mounted?");
  while (dirent const* const entry = ::readdir(dir.get())) {
    char* end = nullptr;
    long const number = std::strtol(entry->d_name, &end, 10);
    if (end == entry->d_name || *end != '\0') continue;
    each(static_cast<int>(number));
  }
}

std::string first_line(std::string const& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::map<int, std::string> descriptors_now() {
  std::map<int, std::string> found;
  std::string const own_look = "/proc/" + std::to_string(::getpid()) + "/fd";
  each_number_in("/proc/self/fd", [&](int fd) {
    char target[256];
    std::string const link = "/proc/self/fd/" + std::to_string(fd);
    ssize_t const length = ::readlink(link.c_str(), target, sizeof target);
    if (length < 0) return;
    std::string const name(target, static_cast<std::size_t>(length));
    if (name != own_look) found.emplace(fd, name);
  });
  return found;
}

void look_at_threads(ledger_snapshot& s) {
  each_number_in("/proc/self/task", [&](int tid) {
    std::string const folder = "/proc/self/task/" + std::to_string(tid);
    s.threads.emplace(tid, first_line(folder + "/comm"));
    std::ifstream file(folder + "/children");
    for (int child; file >> child;) {
      s.child_processes.emplace(child, first_line("/proc/" + std::to_string(child) + "/comm"));
    }
  });
}

std::map<std::string, int> shared_memory_now() {
  std::map<std::string, int> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::size_t const at = line.find('/');
    if (at == std::string::npos) continue;
    std::string const name = line.substr(at);
    if (name.rfind("/memfd:", 0) == 0 || name.rfind("/dev/shm/", 0) == 0) ++found["mapped " + name];
  }
  std::unique_ptr<DIR, directory_closer> const dir(::opendir("/dev/shm"));
  std::string const ours = "plait-" + std::to_string(::getpid());
  while (dirent const* const entry = dir != nullptr ? ::readdir(dir.get()) : nullptr) {
    std::string const name = entry->d_name;
    if (name.rfind(ours, 0) == 0) ++found["/dev/shm/" + name];
  }
  return found;
}

void compare(std::vector<std::string>& out, char const* what, long before, long after) {
  if (before == after) return;
  long const more = after - before;
  out.push_back(std::to_string(more < 0 ? -more : more) + " " + what +
                (more < 0 ? " fewer than before" : " more than before"));
}

// A process or thread that changes its name is still the same; a descriptor with another target is
// not.
enum class identity { number, number_and_name };

void compare(std::vector<std::string>& out, char const* what, identity same,
             std::map<int, std::string> const& before, std::map<int, std::string> const& after) {
  for (auto const& [number, name] : after) {
    auto const was = before.find(number);
    if (was != before.end() && (same == identity::number || was->second == name)) continue;
    out.push_back(std::string(what) + " " + std::to_string(number) + " (" + name + ") is left");
  }
  for (auto const& [number, name] : before) {
    if (after.count(number) != 0) continue;
    out.push_back(std::string(what) + " " + std::to_string(number) + " (" + name + ") is gone");
  }
}

void compare(std::vector<std::string>& out, std::map<std::string, int> before,
             std::map<std::string, int> const& after) {
  for (auto const& [name, count] : after) {
    if (count > before[name]) out.push_back("shared memory (" + name + ") is left");
  }
}

// A joined thread stays in /proc until the kernel has buried it.
constexpr std::chrono::seconds patience{1};

}  // namespace

ledger_snapshot ledger_snapshot::take() {
  ledger_snapshot s;
  auto const read = [](std::atomic<long> const& n) { return n.load(std::memory_order_relaxed); };
  s.frames = read(detail::the_ledger.frames);
  s.operations = read(detail::the_ledger.operations);
  s.timers = read(detail::the_ledger.timers);
  s.descriptors = read(detail::the_ledger.descriptors);
  s.children = read(detail::the_ledger.children);
  s.bytes = read(detail::the_ledger.bytes);
  s.open_descriptors = descriptors_now();
  look_at_threads(s);
  s.shared_memory = shared_memory_now();
  return s;
}

std::vector<std::string> ledger_differences(ledger_snapshot const& before,
                                            ledger_snapshot const& after) {
  std::vector<std::string> found;
  compare(found, "coroutine frames", before.frames, after.frames);
  compare(found, "bytes in coroutine frames", before.bytes, after.bytes);
  compare(found, "operations in flight", before.operations, after.operations);
  compare(found, "armed timers", before.timers, after.timers);
  compare(found, "descriptors of plait", before.descriptors, after.descriptors);
  compare(found, "children of plait", before.children, after.children);
  compare(found, "descriptor", identity::number_and_name, before.open_descriptors,
          after.open_descriptors);
  compare(found, "child process", identity::number, before.child_processes, after.child_processes);
  compare(found, "thread", identity::number, before.threads, after.threads);
  compare(found, before.shared_memory, after.shared_memory);
  return found;
}

ledger_guard::ledger_guard()
    : before_(ledger_snapshot::take()), exceptions_(std::uncaught_exceptions()) {}

ledger_guard::~ledger_guard() {
  if (asked_ || std::uncaught_exceptions() > exceptions_) return;
  std::string const left = differences();
  PLAIT_CHECK(left.empty(), ("something was left behind:\n" + left).c_str());
}

std::string ledger_guard::differences() {
  asked_ = true;
  auto const give_up = std::chrono::steady_clock::now() + patience;
  for (;;) {
    ledger_snapshot const after = ledger_snapshot::take();
    std::vector<std::string> const found = ledger_differences(before_, after);
    if (found.empty()) return {};
    bool const may_settle = after.threads.size() > before_.threads.size();
    if (!may_settle || std::chrono::steady_clock::now() >= give_up) {
      std::string lines;
      for (std::string const& line : found) lines += line + "\n";
      return lines;
    }
    std::this_thread::yield();
  }
}

}  // namespace plait::testing
