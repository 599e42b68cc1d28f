// What UNIX streams, listeners and datagrams do on every driver, one operation and one event at a
// time.
#include "support/stream_actions.hpp"

#include <plait/io/unix.hpp>
#include <plait/io/wait.hpp>
#include <plait/sleep.hpp>
#include <plait/system_calls.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <array>
#include <chrono>
#include <optional>

#include <fcntl.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::unix_address;
using plait::io::unix_datagram;
using plait::io::unix_listener;
using plait::io::unix_stream;
using plait::test::accept;
using plait::test::action;
using plait::test::attempt;
using plait::test::event;
using plait::test::outcome_of;
using plait::test::read_exactly;
using plait::test::read_some;
using plait::test::read_under;
using plait::test::under;
using plait::test::while_waiting;
using plait::test::write_bytes;
using plait::test::write_some;
using plait::test::write_under;

namespace {

struct ends {
  unix_stream near;
  unix_stream far;

  static ends pair() {
    auto [one, other] = unix_stream::pair();
    return {std::move(one), std::move(other)};
  }
};

action write_all(unix_stream& to) { return write_bytes(to, 500'000); }

action connect(unix_address to) {
  return [to]() -> task<std::string> {
    unix_stream const made = co_await unix_stream::connect(to);
    co_return "ok";
  };
}

constexpr auto patience = 3ms;

task<> fill(unix_stream& to) { return plait::test::fill(to, 65536, patience); }

task<std::string> reading(event e, action (*make)(unix_stream&)) {
  ends c = ends::pair();
  action const act = make(c.near);
  co_return co_await read_under(e, act, c.near, c.far);
}

task<std::string> writing(event e, action (*make)(unix_stream&)) {
  ends c = ends::pair();
  if (e != event::there) co_await fill(c.near);
  action const act = make(c.near);
  co_return co_await write_under(e, act, c.near, c.far, patience);
}

enum class peer { closes, half_closes, stops_reading };

// The peer goes before the action begins, or while it waits.
task<std::string> deserted(peer how, bool before, bool full, action (*make)(unix_stream&)) {
  ends c = ends::pair();
  if (full) co_await fill(c.near);
  auto const desert = [&]() -> task<> {
    if (how == peer::half_closes) c.far.shutdown(plait::io::shutdown_direction::write);
    if (how == peer::stops_reading) c.far.shutdown(plait::io::shutdown_direction::read);
    if (how == peer::closes) co_await c.far.close();
  };
  co_return co_await under(before ? event::there : event::later, make(c.near), desert, desert);
}

task<std::string> accepting(event e, std::string path) {
  unix_listener listener = unix_listener::listen(unix_address(path));
  std::optional<unix_stream> client;
  auto const complete = [&]() -> task<> {
    client.emplace(co_await unix_stream::connect(unix_address(path)));
  };
  auto const close = [&]() -> task<> {
    listener.close();
    co_return;
  };
  co_return co_await under(e, accept(listener), complete, close);
}

// With two connections in a backlog that has room for them and no more.
task<std::string> crowding(event e, std::string path) {
  unix_address const at(path);
  unix_listener listener = unix_listener::listen(at, {.backlog = 1});
  unix_stream const first = co_await unix_stream::connect(at);
  unix_stream const second = co_await unix_stream::connect(at);
  std::optional<unix_stream> accepted;
  auto const complete = [&]() -> task<> { accepted.emplace(co_await listener.accept()); };
  auto const close = [&]() -> task<> {
    listener.close();
    co_return;
  };
  co_return co_await under(e, connect(at), complete, close);
}

// A file that a socket left behind.
void leave_socket(std::string const& path) {
  plait::system_calls& sys = plait::scheduler::current().sys();
  unix_address const at(path);
  int const fd = sys.socket(AF_UNIX, SOCK_STREAM);
  int const bound = sys.bind(fd, at.data(), at.size());
  sys.close(fd);
  if (bound < 0) throw std::runtime_error("bind");
}

void leave_file(std::string const& path) {
  plait::system_calls& sys = plait::scheduler::current().sys();
  sys.close(sys.open(path.c_str(), O_WRONLY | O_CREAT, 0600));
}

action listen(std::string path) {
  return [path]() -> task<std::string> {
    unix_listener const made = unix_listener::listen(unix_address(path));
    co_return "ok";
  };
}

}  // namespace

CONFORMANCE_TEST("unix read_some: data is there", "ok") {
  co_return co_await reading(event::there, read_some);
}
CONFORMANCE_TEST("unix read_some: data comes", "ok") {
  co_return co_await reading(event::later, read_some);
}
CONFORMANCE_TEST("unix read_some: cancelled before", "cancelled") {
  co_return co_await reading(event::cancelled_before, read_some);
}
CONFORMANCE_TEST("unix read_some: cancelled during", "cancelled") {
  co_return co_await reading(event::cancelled_during, read_some);
}
CONFORMANCE_TEST("unix read_some: closed during", "closed") {
  co_return co_await reading(event::closed_during, read_some);
}
CONFORMANCE_TEST("unix read_some: the deadline passes", "timed out") {
  co_return co_await reading(event::deadline, read_some);
}
CONFORMANCE_TEST("unix read_some: the peer has closed", "end") {
  co_return co_await deserted(peer::closes, true, false, read_some);
}
CONFORMANCE_TEST("unix read_some: the peer closes", "end") {
  co_return co_await deserted(peer::closes, false, false, read_some);
}
CONFORMANCE_TEST("unix read_some: the peer ends its half", "end") {
  co_return co_await deserted(peer::half_closes, false, false, read_some);
}
CONFORMANCE_TEST("unix read_some: the peer closes with data unread", "reset, then end") {
  ends c = ends::pair();
  co_await c.near.write_all("x");
  co_await c.far.close();
  std::string const first = co_await outcome_of(read_some(c.near));
  std::string const second = co_await outcome_of(read_some(c.near));
  co_return first + ", then " + second;
}
CONFORMANCE_TEST("unix read_some: data and a cancellation at once", "ok", "cancelled") {
  ends c = ends::pair();
  attempt a;
  action const act = read_some(c.near);
  co_await plait::with_task_group([&](task_group& g) -> task<> {
    auto const run = [&]() -> task<> { co_await a.run(act); };
    auto const write = [&]() -> task<> { co_await c.far.write_all("x"); };
    g.spawn(run);
    g.spawn(write);
    co_await plait::sleep_for(60us);
    if (a.scope != nullptr) a.scope->cancel();
    co_await g.join();
  });
  co_await c.far.close();
  std::string const next = co_await outcome_of(read_some(c.near));
  co_return (a.word == "ok") == (next == "end") ? a.word : "lost";
}
CONFORMANCE_TEST("unix read_exactly: data comes", "ok") {
  co_return co_await reading(event::later, read_exactly);
}
CONFORMANCE_TEST("unix read_exactly: cancelled during", "cancelled") {
  co_return co_await reading(event::cancelled_during, read_exactly);
}
CONFORMANCE_TEST("unix read_exactly: the peer closes", "end") {
  co_return co_await deserted(peer::closes, false, false, read_exactly);
}

CONFORMANCE_TEST("unix write_some: there is room", "ok") {
  co_return co_await writing(event::there, write_some);
}
CONFORMANCE_TEST("unix write_some: the peer makes room", "ok") {
  co_return co_await writing(event::later, write_some);
}
CONFORMANCE_TEST("unix write_some: cancelled before", "cancelled") {
  co_return co_await writing(event::cancelled_before, write_some);
}
CONFORMANCE_TEST("unix write_some: cancelled during", "cancelled") {
  co_return co_await writing(event::cancelled_during, write_some);
}
CONFORMANCE_TEST("unix write_some: closed during", "closed") {
  co_return co_await writing(event::closed_during, write_some);
}
CONFORMANCE_TEST("unix write_some: the deadline passes", "timed out") {
  co_return co_await writing(event::deadline, write_some);
}
CONFORMANCE_TEST("unix write_some: the peer has closed", "broken pipe") {
  co_return co_await deserted(peer::closes, true, false, write_some);
}
CONFORMANCE_TEST("unix write_some: the peer closes with data unread", "broken pipe", "~reset") {
  co_return co_await deserted(peer::closes, false, true, write_some);
}
CONFORMANCE_TEST("unix write_some: the peer reads no more", "broken pipe") {
  co_return co_await deserted(peer::stops_reading, true, false, write_some);
}
CONFORMANCE_TEST("unix write_all: the peer makes room", "ok") {
  co_return co_await writing(event::later, write_all);
}
CONFORMANCE_TEST("unix write_all: cancelled during", "cancelled") {
  co_return co_await writing(event::cancelled_during, write_all);
}
CONFORMANCE_TEST("unix: a second reader", "busy") {
  ends c = ends::pair();
  std::string second;
  auto const other = [&]() -> task<> {
    second = co_await outcome_of(read_some(c.near));
    co_await c.far.write_all("x");
  };
  std::string const first = co_await while_waiting(read_some(c.near), other);
  co_return first == "ok" ? second : "the first: " + first;
}
CONFORMANCE_TEST("unix wait_readable: the peer closes", "ok") {
  ends c = ends::pair();
  action const wait = [&]() -> task<std::string> {
    co_await plait::io::wait_readable(c.near.fd());
    co_return "ok";
  };
  auto const close = [&]() -> task<> { co_await c.far.close(); };
  co_return co_await while_waiting(wait, close);
}

CONFORMANCE_TEST("unix accept: a connection is there", "ok") {
  co_return co_await accepting(event::there, at.path("s"));
}
CONFORMANCE_TEST("unix accept: a connection comes", "ok") {
  co_return co_await accepting(event::later, at.path("s"));
}
CONFORMANCE_TEST("unix accept: cancelled before", "cancelled") {
  co_return co_await accepting(event::cancelled_before, at.path("s"));
}
CONFORMANCE_TEST("unix accept: cancelled during", "cancelled") {
  co_return co_await accepting(event::cancelled_during, at.path("s"));
}
CONFORMANCE_TEST("unix accept: closed during", "closed") {
  co_return co_await accepting(event::closed_during, at.path("s"));
}
CONFORMANCE_TEST("unix accept: the deadline passes", "timed out") {
  co_return co_await accepting(event::deadline, at.path("s"));
}
CONFORMANCE_TEST("unix accept: the listener closes before it accepts", "reset") {
  std::optional<unix_listener> listener = unix_listener::listen(unix_address(at.path("s")));
  unix_stream client = co_await unix_stream::connect(unix_address(at.path("s")));
  listener.reset();
  co_return co_await outcome_of(read_some(client));
}

CONFORMANCE_TEST("unix connect: the backlog is full, and somebody accepts", "ok") {
  co_return co_await crowding(event::later, at.path("s"));
}
CONFORMANCE_TEST("unix connect: the backlog is full, cancelled during", "cancelled") {
  co_return co_await crowding(event::cancelled_during, at.path("s"));
}
CONFORMANCE_TEST("unix connect: the backlog is full, and the deadline passes", "timed out") {
  co_return co_await crowding(event::deadline, at.path("s"));
}
CONFORMANCE_TEST("unix connect: the backlog is full, and the listener closes", "not there") {
  co_return co_await crowding(event::closed_during, at.path("s"));
}
CONFORMANCE_TEST("unix connect: cancelled before", "cancelled") {
  unix_listener const listener = unix_listener::listen(unix_address(at.path("s")));
  co_return co_await under(event::cancelled_before, connect(unix_address(at.path("s"))), {}, {});
}
CONFORMANCE_TEST("unix connect: no such file", "not there") {
  co_return co_await outcome_of(connect(unix_address(at.path("s"))));
}
CONFORMANCE_TEST("unix connect: a file that a socket has left", "refused") {
  leave_socket(at.path("s"));
  co_return co_await outcome_of(connect(unix_address(at.path("s"))));
}
CONFORMANCE_TEST("unix connect: a file that is no socket", "refused") {
  leave_file(at.path("s"));
  co_return co_await outcome_of(connect(unix_address(at.path("s"))));
}
CONFORMANCE_TEST("unix connect: to a socket for datagrams", "another type") {
  unix_datagram const other = unix_datagram::bind(unix_address(at.path("s")));
  co_return co_await outcome_of(connect(unix_address(at.path("s"))));
}
CONFORMANCE_TEST("unix connect: to a name that nobody has", "refused") {
  co_return co_await outcome_of(connect(unix_address::abstract("plait-conformance-nobody")));
}
CONFORMANCE_TEST("unix listen: the file is gone after the close", "not there") {
  {
    unix_listener const listener = unix_listener::listen(unix_address(at.path("s")));
  }
  co_return co_await outcome_of(connect(unix_address(at.path("s"))));
}
CONFORMANCE_TEST("unix listen: somebody listens there", "in use") {
  unix_listener const listener = unix_listener::listen(unix_address(at.path("s")));
  co_return co_await outcome_of(listen(at.path("s")));
}
CONFORMANCE_TEST("unix listen: a file that a socket has left", "ok") {
  leave_socket(at.path("s"));
  co_return co_await outcome_of(listen(at.path("s")));
}
CONFORMANCE_TEST("unix listen: a file that is no socket", "in use") {
  leave_file(at.path("s"));
  co_return co_await outcome_of(listen(at.path("s")));
}
