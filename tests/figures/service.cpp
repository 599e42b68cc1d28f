// What a service holds and survives: very many idle connections, no descriptors, no io_uring.
#include "figures.hpp"

#include "support/io_deny.hpp"
#include "support/io_peer.hpp"

#include <plait/io/serve.hpp>
#include <plait/io/tcp.hpp>
#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace plait::figures {
namespace {

using namespace std::chrono_literals;
using io::address;
using io::tcp_listener;
using io::tcp_stream;
using test::peer;

double ms(duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

int connected_now = 0;

task<> echo(tcp_stream stream) {
  char byte[1];
  ++connected_now;
  for (;;) {
    std::size_t const n = co_await stream.read_some(byte);
    if (n == 0) break;
    co_await stream.write_all(byte);
  }
  --connected_now;
}

double resident_bytes() {
  double total = 0;
  double resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The clients of `idle_connections`, in a process of their own: connects, waits for a byte at
// `control`, asks each connection once and says how many answered.
[[noreturn]] void hold_connections(address const& at, int connections, int control) {
  raise_descriptor_limit();
  int answered = 0;
  try {
    std::vector<peer> clients;
    for (int i = 0; i < connections; ++i) clients.push_back(peer::connect(at));
    char go = 0;
    if (::read(control, &go, 1) != 1) ::_exit(1);
    for (peer& client : clients) client.send("x");
    for (peer& client : clients) answered += client.receive(1) == "x" ? 1 : 0;
  } catch (std::exception const&) {
  }
  static_cast<void>(!::write(control, &answered, sizeof answered));
  ::_exit(0);
}

// Answered within what time, one after the other, in ms.
task<std::vector<double>> round_trips(std::vector<peer>& clients, std::size_t first, int count) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    int const fd = clients[static_cast<std::size_t>(i) % first].fd();
    auto const begin = plait::clock::now();
    char byte = 'x';
    ::send(fd, &byte, 1, MSG_NOSIGNAL);
    while (::recv(fd, &byte, 1, MSG_DONTWAIT) != 1) co_await sleep_for(duration::zero());
    times.push_back(ms(plait::clock::now() - begin));
  }
  std::sort(times.begin(), times.end());
  co_return times;
}

double p99(std::vector<double> const& sorted) { return sorted[sorted.size() * 99 / 100]; }

}  // namespace

void idle_connections(report& to, driver_kind kind) {
  constexpr int connections = 15'000;
  std::string const where = ", " + name_of(kind);
  raise_descriptor_limit();
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < connections + 100) {
    return to.skipped("F11" + where, "only " + std::to_string(limit.rlim_cur) + " descriptors (ulimit -Hn)");
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return to.skipped("F11", "socketpair");
  scheduler s(make_driver({.kind = kind}));
  connected_now = 0;
  auto const measure = [&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    pid_t const child = ::fork();
    if (child == 0) hold_connections(listener.local_address(), connections, ends[1]);
    ::close(ends[1]);
    co_await with_task_group([&](task_group& g) -> task<> {
      double const before = resident_bytes();
      g.spawn([&]() -> task<> { co_await io::serve(listener, echo); });
      auto const give_up = plait::clock::now() + 60s;
      while (connected_now < connections && plait::clock::now() < give_up) co_await sleep_for(10ms);
      double const each = (resident_bytes() - before) / connections;
      to.exactly("F11 connections held by one process" + where + ":", connected_now, connections);
      to.at_most("F11 memory of each idle connection, its session's frame included" + where + ":", each, 2048,
                 "bytes");
      co_await sleep_for(10s);
      to.exactly("F11 connections there after 10 s" + where + ":", connected_now, connections);
      static_cast<void>(!::write(ends[0], "x", 1));
      while (connected_now != 0 && plait::clock::now() < give_up) co_await sleep_for(10ms);
      int answered = 0;
      static_cast<void>(!::read(ends[0], &answered, sizeof answered));
      to.exactly("F11 connections that answered then" + where + ":", answered, connections);
      g.cancel();
    });
    ::close(ends[0]);
    ::kill(child, SIGKILL);
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  };
  run_on(s, measure());
}

void descriptor_storm(report& to, driver_kind kind) {
  constexpr std::size_t served = 20;
  std::string const where = ", " + name_of(kind);
  scheduler s(make_driver({.kind = kind}));
  auto const measure = [&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    std::vector<peer> clients;
    connected_now = 0;
    for (int i = 0; i < 200; ++i) clients.push_back(peer::connect(listener.local_address()));
    co_await with_task_group([&](task_group& g) -> task<> {
      test::descriptor_famine famine(served);
      g.spawn([&]() -> task<> { co_await io::serve(listener, echo); });
      while (listener.exhausted() == 0) co_await sleep_for(1ms);
      std::uint64_t const attempts = listener.exhausted();
      auto const begin = plait::clock::now();
      std::vector<double> stormy = co_await round_trips(clients, served, 2000);
      co_await sleep_until(begin + 2s);
      double const seconds = ms(plait::clock::now() - begin) / 1000;
      double const failed = static_cast<double>(listener.exhausted() - attempts) / seconds;
      famine.end();
      auto const end = plait::clock::now();
      while (connected_now < 200) co_await sleep_for(1ms);
      double const recovery = ms(plait::clock::now() - end);
      std::vector<double> const calm = co_await round_trips(clients, served, 2000);
      to.at_most("F12 failed accepts without descriptors, 200 clients" + where + ":", failed, 50, "/s");
      to.time_ms("F12 round trip p99 of those that are served" + where + ":", p99(stormy), 2 * p99(calm));
      to.time_ms("F12 until all are served" + where + ":", recovery, 1000);
      g.cancel();
    });
  };
  run_on(s, measure());
}

void fallback(report& to) {
  struct denial {
    int error;
    char const* name;
  };
  constexpr denial kinds[] = {{EPERM, "EPERM"},   {ENOSYS, "ENOSYS"}, {ENOMEM, "ENOMEM"}, {EACCES, "EACCES"},
                              {EMFILE, "EMFILE"}, {ENFILE, "ENFILE"}, {EINVAL, "EINVAL"}};
  constexpr int no_filter = 77;
  ::unsetenv("PLAIT_DRIVER");
  for (denial const& d : kinds) {
    int ends[2];
    if (::pipe(ends) != 0) return to.skipped("F20", "pipe");
    pid_t const child = ::fork();
    if (child == 0) {
      if (!test::deny_system_call(SYS_io_uring_setup, d.error)) ::_exit(no_filter);
      auto const begin = plait::clock::now();
      scheduler s(make_driver());
      run_on(s, []() -> task<> { co_await sleep_for(duration::zero()); }());
      double const took = ms(plait::clock::now() - begin);
      driver_report const chosen = choose_driver();
      bool const told = chosen.kind == driver_kind::epoll &&
                        chosen.reason.find(std::strerror(d.error)) != std::string::npos;
      static_cast<void>(!::write(ends[1], &took, sizeof took));
      ::_exit(told ? 0 : 1);
    }
    ::close(ends[1]);
    double took = 0;
    bool const measured = ::read(ends[0], &took, sizeof took) == sizeof took;
    ::close(ends[0]);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == no_filter) {
      return to.skipped("F20", "the kernel has no seccomp filters");
    }
    std::string const what = std::string("F20 a loop on epoll where io_uring answers ") + d.name;
    to.exactly(what + ", and says so:", measured && status == 0 ? 1 : 0, 1);
    to.time_ms(what + ":", took, 5);
  }
}

}  // namespace plait::figures
