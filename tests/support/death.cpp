#include "support/death.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace plait::test {
namespace {

void limit_child() {
  rlimit const no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  rlimit const cpu_seconds{60, 60};
  ::setrlimit(RLIMIT_CPU, &cpu_seconds);
}

child_end collect(pid_t child, int pipe_end) {
  child_end end;
  char buffer[4096];
  for (;;) {
    ssize_t const got = ::read(pipe_end, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    end.output.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(pipe_end);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    end.signal = WTERMSIG(status);
  } else {
    end.exit_code = WEXITSTATUS(status);
  }
  return end;
}

child_end fork_and_collect(std::function<void()> const& body, bool with_stdout) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe for a child process");
  std::fflush(nullptr);
  pid_t const child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork a child process");
  if (child == 0) {
    for (int const s : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGTERM, SIGINT}) {
      std::signal(s, SIG_DFL);  // not Catch's, which would report in the parent's name
    }
    limit_child();
    ::dup2(ends[1], STDERR_FILENO);
    if (with_stdout) ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    try {
      body();
    } catch (std::exception const& e) {
      std::fprintf(stderr, "exception: %s\n", e.what());
      ::_exit(3);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  return collect(child, ends[0]);
}

}  // namespace

child_end in_child(std::function<void()> const& body) { return fork_and_collect(body, false); }

child_end run_this_binary(std::string const& argument, char const* environment_name) {
  return fork_and_collect(
      [&] {
        ::setenv(environment_name, "1", 1);
        ::execl("/proc/self/exe", "this_binary", argument.c_str(), static_cast<char*>(nullptr));
        std::perror("cannot run this binary again");
        ::_exit(4);
      },
      true);
}

}  // namespace plait::test
