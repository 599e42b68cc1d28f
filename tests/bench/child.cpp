#include <catch2/catch.hpp>

#include <cerrno>
#include <csignal>

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "method/child.hpp"

using namespace plait::lab;
using Catch::Matchers::Contains;

namespace {

child_end run_shell(std::string const& script, double timeout_s = 30,
                    std::vector<std::string> const& environment = {}) {
  return run_child({"-c", script}, environment, timeout_s, "/bin/sh");
}

}  // namespace

TEST_CASE("child: its result comes back from descriptor 3, and what it spent") {
  child_end const end = run_shell("echo hidden; echo answer >&3");
  CHECK(end.ok());
  CHECK(end.output == "answer\n");
  CHECK(end.max_rss_kib > 0);
  CHECK(end.spent.cpu_s() >= 0);
}

TEST_CASE("child: a long result comes back whole") {
  child_end const end = run_shell("head -c 1000000 /dev/zero >&3");
  CHECK(end.ok());
  CHECK(end.output.size() == 1'000'000);
}

TEST_CASE("child: death by a signal is reported by name, with its last words") {
  child_end const end = run_shell("echo first >&2; echo 'last words' >&2; kill -SEGV $$");
  CHECK_FALSE(end.ok());
  CHECK_THAT(end.reason(), Contains("signal 11") && Contains("last words") && !Contains("first"));
}

TEST_CASE("child: an exit status is reported") {
  child_end const end = run_shell("echo partial >&3; exit 3");
  CHECK_FALSE(end.ok());
  CHECK_THAT(end.reason(), Contains("exit status 3"));
}

TEST_CASE("child: one that hangs is killed with its descendants") {
  child_end const end = run_shell("sleep 1000 & echo $! >&3; wait", 0.3);
  CHECK(end.timed_out);
  CHECK_THAT(end.reason(), Contains("killed"));
  pid_t const grandchild = std::stoi(end.output);
  int const fd = static_cast<int>(::syscall(SYS_pidfd_open, grandchild, 0));
  if (fd < 0) {
    CHECK(errno == ESRCH);  // dead and reaped already
    return;
  }
  pollfd exited{fd, POLLIN, 0};
  CHECK(::poll(&exited, 1, 30'000) == 1);
  ::close(fd);
}

TEST_CASE("child: variables are set for it, and replace what was there") {
  ::setenv("PLAIT_LAB_TEST", "old", 1);
  child_end const end = run_shell("echo $PLAIT_LAB_TEST >&3; env | grep -c '^PLAIT_LAB_TEST=' >&3",
                                  30, {"PLAIT_LAB_TEST=new"});
  ::unsetenv("PLAIT_LAB_TEST");
  CHECK(end.output == "new\n1\n");
}

TEST_CASE("child: a program that does not exist is an error that says so") {
  CHECK_THROWS_WITH(run_child({}, {}, 1, "/nonexistent/program"), Contains("No such file"));
}

TEST_CASE("child: a server's first line can be read while it runs") {
  running_child server({"-c", "echo 4711 >&3; exec sleep 1000"}, {}, running_child::group::leader,
                       -1, "/bin/sh");
  CHECK(server.read_line(30) == "4711");
  CHECK(::kill(server.pid(), 0) == 0);
}
