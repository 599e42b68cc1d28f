#include "method/child.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "method/window.hpp"

namespace plait::lab {

namespace {

constexpr std::size_t error_bytes_max = 4096;

std::sig_atomic_t volatile interrupt_seen = 0;

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& s : strings) result.push_back(s.data());
  result.push_back(nullptr);
  return result;
}

struct pipe_pair {
  int read_end = -1;
  int write_end = -1;
  pipe_pair() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      throw std::system_error(errno, std::generic_category(), "pipe for a child process");
    read_end = ends[0];
    write_end = ends[1];
  }
};

// False at the end of the stream.
bool read_some(int fd, std::string& into) {
  char buffer[16 * 1024];
  ssize_t const n = ::read(fd, buffer, sizeof buffer);
  if (n > 0) into.append(buffer, static_cast<std::size_t>(n));
  return n > 0 || (n < 0 && errno == EINTR);
}

std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  auto const newline = text.rfind('\n');
  return std::string(newline == std::string_view::npos ? text : text.substr(newline + 1));
}

double seconds_since(std::uint64_t start) { return static_cast<double>(now_ns() - start) / 1e9; }

}  // namespace

bool child_end::ok() const {
  return !timed_out && !interrupted && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string child_end::reason() const {
  std::string text;
  if (interrupted) {
    text = "interrupted";
  } else if (timed_out) {
    text = "no result in time, killed";
  } else if (WIFSIGNALED(status)) {
    text = fmt::format("killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  } else if (WEXITSTATUS(status) != 0) {
    text = fmt::format("exit status {}", WEXITSTATUS(status));
  } else {
    text = "ended without a result";
  }
  if (auto const line = last_line(error_tail); !line.empty()) text += ": " + line;
  return text;
}

running_child::running_child(std::vector<std::string> const& arguments,
                             std::vector<std::string> const& environment, group membership, int cpu,
                             char const* program)
    : membership_(membership) {
  std::vector<std::string> argv_strings{"plait"};
  argv_strings.insert(argv_strings.end(), arguments.begin(), arguments.end());
  std::vector<std::string> env_strings;
  for (char** e = environ; *e; ++e) {
    std::string_view const variable(*e);
    auto const name = variable.substr(0, variable.find('=') + 1);
    bool const replaced = std::any_of(environment.begin(), environment.end(),
                                      [&](auto const& v) { return v.starts_with(name); });
    if (!replaced) env_strings.emplace_back(variable);
  }
  env_strings.insert(env_strings.end(), environment.begin(), environment.end());

  pipe_pair results;
  pipe_pair errors;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, errors.write_end, 1);
  ::posix_spawn_file_actions_adddup2(&actions, errors.write_end, 2);
  ::posix_spawn_file_actions_adddup2(&actions, results.write_end, result_fd);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;
  ::sigemptyset(&defaults);
  for (int const s : {SIGINT, SIGTERM, SIGPIPE}) ::sigaddset(&defaults, s);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  int const own_group = membership == group::leader ? POSIX_SPAWN_SETPGROUP : 0;
  ::posix_spawnattr_setflags(&attributes, static_cast<short>(own_group | POSIX_SPAWN_SETSIGDEF));

  // posix_spawn has no attribute for the CPU: the child inherits this thread's.
  cpu_set_t own;
  ::sched_getaffinity(0, sizeof own, &own);
  pin_to(cpu);
  int const failed = ::posix_spawn(&pid_, program, &actions, &attributes,
                                   pointers(argv_strings).data(), pointers(env_strings).data());
  if (cpu >= 0) ::sched_setaffinity(0, sizeof own, &own);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(results.write_end);
  ::close(errors.write_end);
  result_ = results.read_end;
  error_ = errors.read_end;
  if (failed != 0) {
    ::close(result_);
    ::close(error_);
    throw std::system_error(failed, std::generic_category(), "starting a child process");
  }
}

running_child::~running_child() {
  if (pid_ > 0) {
    kill();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  ::close(result_);
  if (error_ >= 0) ::close(error_);
}

void running_child::kill() {
  if (pid_ > 0) ::kill(membership_ == group::leader ? -pid_ : pid_, SIGKILL);
}

bool running_child::exited() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
         info.si_pid == pid_;
}

std::string running_child::read_line(double timeout_s) {
  std::uint64_t const start = now_ns();
  for (;;) {
    if (auto const newline = buffered_.find('\n'); newline != std::string::npos) {
      std::string line = buffered_.substr(0, newline);
      buffered_.erase(0, newline + 1);
      return line;
    }
    double const left = timeout_s - seconds_since(start);
    if (left <= 0 || interrupted()) return {};
    pollfd ready{result_, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(std::min(left, 0.1) * 1000) + 1) > 0 &&
        !read_some(result_, buffered_))
      return {};
  }
}

child_end running_child::finish(double timeout_s) {
  child_end end;
  std::uint64_t const start = now_ns();
  bool results_open = true;
  bool stopped = false;
  while (results_open && !stopped) {
    pollfd ready[2] = {{result_, POLLIN, 0}, {error_, POLLIN, 0}};
    ::poll(ready, 2, 100);
    if (ready[0].revents != 0) results_open = read_some(result_, buffered_);
    if (ready[1].revents != 0 && !read_some(error_, errors_)) {
      ::close(error_);
      error_ = -1;  // poll ignores it
    }
    if (errors_.size() > 2 * error_bytes_max) errors_.erase(0, errors_.size() - error_bytes_max);
    end.interrupted = interrupted();
    end.timed_out = !end.interrupted && seconds_since(start) > timeout_s;
    stopped = end.interrupted || end.timed_out;
  }
  // A process that has closed its result pipe is about to exit; one that lingers is killed. So
  // are the descendants that a leader leaves behind, before its number can be used again.
  while (!stopped && !exited() && seconds_since(start) < timeout_s + 2) ::poll(nullptr, 0, 1);
  kill();
  rusage spent{};
  while (::wait4(pid_, &end.status, 0, &spent) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  while (error_ >= 0) {
    pollfd ready{error_, POLLIN, 0};
    if (::poll(&ready, 1, 0) <= 0 || !read_some(error_, errors_)) break;
  }
  end.output = std::move(buffered_);
  end.error_tail = std::move(errors_);
  auto const seconds = [](timeval const& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  end.spent = {seconds(spent.ru_utime), seconds(spent.ru_stime),
               static_cast<double>(spent.ru_nvcsw), static_cast<double>(spent.ru_nivcsw)};
  end.max_rss_kib = spent.ru_maxrss;
  return end;
}

child_end run_child(std::vector<std::string> const& arguments,
                    std::vector<std::string> const& environment, double timeout_s,
                    char const* program) {
  return running_child(arguments, environment, running_child::group::leader, -1, program)
      .finish(timeout_s);
}

void watch_interrupts() {
  struct sigaction action{};
  action.sa_handler = [](int) { interrupt_seen = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return interrupt_seen != 0; }

void die_with_parent() { ::prctl(PR_SET_PDEATHSIG, SIGKILL); }

void pin_to(int cpu) {
  if (cpu < 0 || cpu >= CPU_SETSIZE) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

int usable_cpus() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

}  // namespace plait::lab
