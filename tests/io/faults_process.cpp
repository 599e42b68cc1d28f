// Surroundings that a program does not choose: other rights, no descriptors 0 to 2, being stopped,
// globals, a network without ports. Each in a child process, since they cannot be taken back.
#include <plait/driver.hpp>

#include "support/death.hpp"
#include "support/io_peer.hpp"
#include "support/io_test.hpp"
#include "support/skip.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/tcp.hpp>
#include <plait/task_group.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <sched.h>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::io::address;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::test::child_end;
using plait::test::in_child;

namespace {

constexpr int not_here = 77;
constexpr uid_t nobody = 65534;

void require(bool holds, char const* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  ::_exit(5);
}

// in_child, killed where it hangs.
child_end guarded_child(std::function<void()> const& body) {
  return in_child([&] {
    plait::test::hang_guard const guard("a test's child process", 20);
    body();
  });
}

void expect_well(child_end const& end, char const* why_skipped) {
  if (end.exited_with(not_here)) return plait::test::skip(why_skipped);
  INFO(end.output);
  CHECK(end.exited_with(0));
}

task<int> echo_once() {
  auto listener = tcp_listener::listen(address::loopback(0));
  auto client = co_await tcp_stream::connect(listener.local_address());
  auto server = co_await listener.accept();
  co_await client.write_all("hello");
  char into[5];
  std::size_t const n = co_await server.read_exactly(into);
  co_return static_cast<int>(n);
}

task<> for_ever() { co_await plait::sleep_forever(); }

// The state letter of a process: R, S, T ...
char state_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(file, line);
  std::size_t const at = line.rfind(") ");
  return at == std::string::npos ? '?' : line[at + 2];
}

// The loopback interface of a network of its own, with so few ports to connect from.
bool enter_small_network(char const* ports) {
  if (::unshare(CLONE_NEWNET) != 0) return false;
  int const fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  bool const up = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  ::close(fd);
  std::ofstream range("/proc/sys/net/ipv4/ip_local_port_range");
  range << ports << std::flush;
  return up && range.good();
}

struct program_with_global_loop {
  std::unique_ptr<plait::scheduler> loop;
  std::optional<tcp_listener> listener;
};
std::optional<program_with_global_loop> the_program;

}  // namespace

TEST_CASE("faults: without locked memory an ordinary user's program runs, on epoll where the ring needs it") {
  child_end const end = guarded_child([] {
    ::unsetenv("PLAIT_DRIVER");
    rlimit const none{0, 0};
    if (::setrlimit(RLIMIT_MEMLOCK, &none) != 0) ::_exit(not_here);
    if (::geteuid() == 0 && ::setresuid(nobody, nobody, nobody) != 0) ::_exit(not_here);
    plait::driver_report const report = plait::choose_driver();
    if (report.kind == plait::driver_kind::epoll) {
      require(report.reason.find("io_uring") != std::string::npos, report.reason.c_str());
    }
    require(plait::run(echo_once) == 5, "the program did not run");
  });
  expect_well(end, "the rights of a process cannot be changed here");
}

IO_TEST("faults: rights that are given up after the start are gone for the kernel's threads as well") {
  plait::test::temporary_folder const folder;
  std::string const secret = folder / "secret";
  plait::test::write_file(secret, "root's");
  child_end const end = guarded_child([&] {
    if (::geteuid() != 0) ::_exit(not_here);
    require(::chmod(secret.c_str(), 0600) == 0, "chmod");
    io.run([&]() -> task<> {
      auto const before = co_await plait::io::file::open(secret);
      require(before.is_open(), "root cannot open it");
      if (::setresuid(nobody, nobody, nobody) != 0) ::_exit(not_here);
      auto const after = co_await as_result(plait::io::file::open(secret));
      require(!after && after.error().code == std::errc::permission_denied, "it opened root's file");
    });
  });
  expect_well(end, "only root can give up rights");
}

IO_TEST("faults: a program that starts without descriptors 0 to 2 has none of its own there") {
  child_end const end = guarded_child([&] {
    int const report = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    for (int fd = 0; fd <= 2; ++fd) ::close(fd);
    char const* wrong = "";
    io.run([&]() -> task<> {
      auto listener = tcp_listener::listen(address::loopback(0));
      auto client = co_await tcp_stream::connect(listener.local_address());
      auto server = co_await listener.accept();
      if (listener.fd() <= 2 || client.fd() <= 2 || server.fd() <= 2) wrong = "a socket is among 0 to 2";
      static_cast<void>(!::write(STDOUT_FILENO, "x", 1));
      co_await client.write_all("hello");
      std::string into(5, '\0');
      co_await server.read_exactly(into);
      if (into != "hello") wrong = "output of the program got into its socket";
    });
    ::dup2(report, STDERR_FILENO);
    require(*wrong == '\0', wrong);
  });
  expect_well(end, "");
}

IO_TEST("faults: timers that come due while the program is stopped fire once") {
  child_end const end = guarded_child([&] {
    pid_t const loop = ::getpid();
    pid_t const helper = ::fork();
    if (helper == 0) {
      // Stops it, and lets 30 ms pass before it may go on.
      ::kill(loop, SIGSTOP);
      auto const give_up = std::chrono::steady_clock::now() + 5s;
      while (state_of(loop) != 'T' && std::chrono::steady_clock::now() < give_up) ::sched_yield();
      bool const stopped = state_of(loop) == 'T';
      auto const until = std::chrono::steady_clock::now() + 30ms;
      while (std::chrono::steady_clock::now() < until) ::sched_yield();
      ::kill(loop, SIGCONT);
      ::_exit(stopped ? 0 : 1);
    }
    int fired = 0;
    int too_early = 0;
    io.run([&]() -> task<> {
      co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
        for (int i = 1; i <= 100; ++i) {
          g.spawn([&, i]() -> task<> {
            int& count = fired;
            int& early = too_early;
            auto const due = plait::clock::now() + i * 500us;
            co_await plait::sleep_until(due);
            ++count;
            if (plait::clock::now() < due) ++early;
          });
        }
        // One that repeats makes up for nothing: each of its waits is as long as it says.
        for (int i = 0; i < 20; ++i) {
          auto const begin = plait::clock::now();
          co_await plait::sleep_for(2ms);
          if (plait::clock::now() - begin < 2ms) ++too_early;
        }
        co_await g.join();
      });
    });
    int status = 0;
    while (::waitpid(helper, &status, 0) < 0) {
    }
    require(status == 0, "it was not stopped");
    require(fired == 100, "a timer fired twice, or never");
    require(too_early == 0, "a timer was early");
  });
  expect_well(end, "");
}

IO_TEST("faults: a loop and a listener in globals are destroyed at exit, after main") {
  child_end const end = guarded_child([&] {
    the_program.emplace();
    the_program->loop = std::make_unique<plait::scheduler>(plait::make_driver(io.options));
    plait::run_on(*the_program->loop, [](std::optional<tcp_listener>& made) -> task<> {
      made = tcp_listener::listen(address::loopback(0));
      auto client = co_await tcp_stream::connect(made->local_address());
      auto const server = co_await made->accept();
      require(server.is_open(), "accept");
    }(the_program->listener));
    std::exit(0);  // NOLINT: with the destructors of globals
  });
  INFO(end.output);
  CHECK(end.exited_with(0));
}

IO_TEST("faults: on a machine that has been up for a hundred years timers are as long as they say") {
  child_end const end = guarded_child([&] {
    if (::unshare(CLONE_NEWTIME) != 0) ::_exit(not_here);
    std::ofstream offsets("/proc/self/timens_offsets");
    offsets << "monotonic 3155760000 0\n" << std::flush;
    if (!offsets.good()) ::_exit(not_here);
    pid_t const inside = ::fork();  // a new process is in the new namespace
    if (inside == 0) {
      io.run([&]() -> task<> {
        auto const begin = plait::clock::now();
        require(begin.time_since_epoch() > std::chrono::hours(24 * 365 * 99), "no offset");
        co_await plait::sleep_for(2ms);
        require(plait::clock::now() - begin >= 2ms, "a timer was early");
        bool const ended = co_await plait::move_on_after(2ms, for_ever);
        require(!ended, "a deadline never came");
      });
      ::_exit(0);
    }
    int status = 0;
    while (::waitpid(inside, &status, 0) < 0) {
    }
    require(status == 0, "the process in the namespace failed");
  });
  expect_well(end, "no clock of its own can be had here");
}

IO_TEST("faults: with no port left to connect from, connect says so, and works again later") {
  child_end const end = guarded_child([&] {
    if (!enter_small_network("40000 40003")) ::_exit(not_here);
    io.run([&]() -> task<> {
      auto listener = tcp_listener::listen(address::loopback(7000));
      std::vector<tcp_stream> streams;
      std::error_code code;
      for (int i = 0; i < 8 && !code; ++i) {
        try {
          streams.push_back(co_await tcp_stream::connect(listener.local_address()));
        } catch (plait::io::io_error const& e) {
          code = e.code();
        }
      }
      require(code == std::errc::address_not_available, code.message().c_str());
      require(streams.size() == 4, "not every port was used");
      int const open = plait::test::open_descriptors();
      for (int i = 0; i < 3; ++i) {
        try {
          co_await tcp_stream::connect(listener.local_address());
        } catch (plait::io::io_error const&) {
        }
      }
      require(plait::test::open_descriptors() == open, "a failed connect left a descriptor");
      streams.back().abort();
      auto const again = co_await tcp_stream::connect(listener.local_address());
      require(again.is_open(), "no connection although a port is free");
    });
  });
  expect_well(end, "no network of its own can be made here");
}
