#include "workloads/units.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace plait::lab {

void run_threads(long n, std::function<void(long)> const& body) {
  std::vector<std::jthread> threads;
  threads.reserve(static_cast<std::size_t>(n));
  for (long i = 0; i < n; ++i) threads.emplace_back([&body, i] { body(i); });
}

pid_t fork_child(std::function<void()> const& body) {
  pid_t const pid = ::fork();
  if (pid < 0) throw_errno("fork");
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int status = 0;
  try {
    body();
  } catch (std::exception const& e) {
    fmt::print(stderr, "{}\n", e.what());
    std::fflush(stderr);
    status = 1;
  }
  ::_exit(status);
}

void reap_child(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("waitpid");
  }
  if (WIFSIGNALED(status))
    throw std::runtime_error(fmt::format("a child was killed by signal {}", WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0)
    throw std::runtime_error(fmt::format("a child ended with status {}", WEXITSTATUS(status)));
}

void run_processes(long n, std::function<void(long)> const& body) {
  std::vector<pid_t> children;
  children.reserve(static_cast<std::size_t>(n));
  std::exception_ptr failure;
  for (long i = 0; i < n && !failure; ++i) {
    try {
      children.push_back(fork_child([&] { body(i); }));
    } catch (...) {
      failure = std::current_exception();
    }
  }
  for (pid_t const child : children) {
    try {
      reap_child(child);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

// A stack and its guard are two mappings. The kernel's side of a thread is about 27 KiB (stack,
// page tables, slab), its touched stack and thread-local storage about 12 KiB.
need needs_threads(double n) {
  need result;
  result.threads = n;
  result.maps = 2 * n;
  result.memory = n * 42e3;
  return result;
}

need needs_processes(double n) {
  need result;
  result.processes = n;
  result.memory = n * 160e3;
  return result;
}

void check_answer(bool right, std::string const& what) {
  if (!right) throw std::runtime_error("wrong answer: " + what);
}

void throw_errno(std::string const& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace plait::lab
