// What TCP does on every driver, one operation and one event at a time.
#include "support/stream_actions.hpp"

#include <plait/io/error.hpp>
#include <plait/io/tcp.hpp>
#include <plait/io/wait.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <array>
#include <functional>
#include <optional>
#include <utility>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::io_error;
using plait::io::tcp_listener;
using plait::io::tcp_options;
using plait::io::tcp_stream;
using plait::test::a_while;
using plait::test::accept;
using plait::test::action;
using plait::test::attempt;
using plait::test::drain;
using plait::test::event;
using plait::test::outcome_of;
using plait::test::read_exactly;
using plait::test::read_some;
using plait::test::read_under;
using plait::test::then_set;
using plait::test::under;
using plait::test::write_bytes;
using plait::test::write_some;
using plait::test::write_under;

namespace {

// Two ends of a connection, and an action on the near one.
struct ends {
  tcp_stream near;
  tcp_stream far;
};

task<ends> connected() {
  tcp_listener listener = tcp_listener::listen(address::loopback(0));
  tcp_options const small{.send_buffer_bytes = 4096, .receive_buffer_bytes = 4096};
  tcp_stream near = co_await tcp_stream::connect(listener.local_address(), small);
  tcp_stream far = co_await listener.accept();
  co_return ends{std::move(near), std::move(far)};
}

// Until the peer's window and both buffers are full. A kernel may tell of room 40 ms later, with a
// delayed acknowledgement.
task<> fill(tcp_stream& stream) { return plait::test::fill(stream, 65536, 150ms); }

constexpr auto drain_patience = 20ms;  // segments may be very late

action write_all(tcp_stream& stream) { return write_bytes(stream, 100'000); }

action wait_for(tcp_stream& stream, short events) {
  return [&stream, events]() -> task<std::string> {
    plait::fd_wait wait(stream.fd(), events);
    co_await std::move(wait);
    co_return "ok";
  };
}

task<std::string> reading(event e, action (*make)(tcp_stream&)) {
  ends c = co_await connected();
  action const act = make(c.near);
  co_return co_await read_under(e, act, c.near, c.far);
}

task<std::string> writing(event e, action (*make)(tcp_stream&)) {
  ends c = co_await connected();
  if (e != event::there && e != event::cancelled_before) co_await fill(c.near);
  action const act = make(c.near);
  co_return co_await write_under(e, act, c.near, c.far, drain_patience);
}

task<std::string> accepting(event e) {
  tcp_listener listener = tcp_listener::listen(address::loopback(0));
  std::optional<tcp_stream> client;
  auto const complete = [&]() -> task<> {
    client.emplace(co_await tcp_stream::connect(listener.local_address()));
  };
  auto const close = [&]() -> task<> {
    listener.close();
    co_return;
  };
  co_return co_await under(e, accept(listener), complete, close);
}

task<std::string> waiting_to_read(event e) {
  ends c = co_await connected();
  auto const complete = [&]() -> task<> { co_await c.far.write_all("x"); };
  auto const nothing = []() -> task<> { co_return; };
  co_return co_await under(e, wait_for(c.near, POLLIN), complete, nothing);
}

task<std::string> waiting_to_write(event e) {
  ends c = co_await connected();
  if (e != event::there && e != event::cancelled_before) co_await fill(c.near);
  bool done = false;
  auto const complete = [&]() -> task<> {
    if (e == event::later) co_await drain(c.far, done, drain_patience);
  };
  auto const nothing = []() -> task<> { co_return; };
  action const act = then_set(done, wait_for(c.near, POLLOUT));
  co_return co_await under(e, act, complete, nothing);
}

enum class peer { closes, half_closes, resets };

// The peer goes while the action waits, or before it begins.
task<std::string> deserted(peer how, bool before, bool full, action (*make)(tcp_stream&)) {
  ends c = co_await connected();
  if (full) co_await fill(c.near);
  auto const desert = [&]() -> task<> {
    if (how == peer::half_closes) c.far.shutdown(plait::io::shutdown_direction::write);
    if (how == peer::closes) co_await c.far.close();
    if (how == peer::resets) c.far.abort();
  };
  attempt a;
  action const act = make(c.near);
  co_await plait::with_task_group([&](task_group& g) -> task<> {
    if (before) {
      co_await desert();
      co_await a_while();
    }
    auto const run = [&]() -> task<> { co_await a.run(act); };
    g.spawn(run);
    co_await a_while();
    if (!before) co_await desert();
    co_await g.join();
  });
  co_return a.word;
}

// Data and a cancellation that set out together: either may win, and no byte is lost.
task<std::string> raced() {
  ends c = co_await connected();
  std::string got;
  attempt a;
  action const act = [&]() -> task<std::string> {
    std::array<char, 8> buffer;
    std::size_t const n = co_await c.near.read_some(buffer);
    got.append(buffer.data(), n);
    co_return "ok";
  };
  co_await plait::with_task_group([&](task_group& g) -> task<> {
    auto const run = [&]() -> task<> { co_await a.run(act); };
    auto const write = [&]() -> task<> { co_await c.far.write_all("12345678"); };
    g.spawn(run);
    g.spawn(write);
    co_await plait::sleep_for(500us);
    if (a.scope != nullptr) a.scope->cancel();
    co_await g.join();
  });
  std::string const word = a.word;
  c.far.shutdown(plait::io::shutdown_direction::write);
  for (;;) {
    std::array<char, 8> buffer;
    std::size_t const n = co_await c.near.read_some(buffer);
    if (n == 0) break;
    got.append(buffer.data(), n);
  }
  co_return got == "12345678" ? word : "lost: " + got;
}

// With two connections in a backlog that has room for them and no more.
task<std::string> crowding(event e) {
  tcp_listener const listener = tcp_listener::listen(address::loopback(0), {.backlog = 1});
  address const to = listener.local_address();
  tcp_stream const first = co_await tcp_stream::connect(to);
  tcp_stream const second = co_await tcp_stream::connect(to);
  co_await a_while();
  action const third = [&]() -> task<std::string> {
    tcp_stream const stream = co_await tcp_stream::connect(to);
    co_return "ok";
  };
  co_return co_await under(e, third, {}, {});
}

// Until nothing is under way, however late it was.
task<> settle(plait::test::stage const& at) {
  co_await plait::sleep_for(at.simulated() ? plait::duration(1s) : plait::duration(4ms));
}

}  // namespace

CONFORMANCE_TEST("tcp read_some: data is there", "ok") {
  co_return co_await reading(event::there, read_some);
}
CONFORMANCE_TEST("tcp read_some: data comes", "ok") {
  co_return co_await reading(event::later, read_some);
}
CONFORMANCE_TEST("tcp read_some: cancelled before", "cancelled") {
  co_return co_await reading(event::cancelled_before, read_some);
}
CONFORMANCE_TEST("tcp read_some: cancelled during", "cancelled") {
  co_return co_await reading(event::cancelled_during, read_some);
}
CONFORMANCE_TEST("tcp read_some: closed during", "closed") {
  co_return co_await reading(event::closed_during, read_some);
}
CONFORMANCE_TEST("tcp read_some: the deadline passes", "timed out") {
  co_return co_await reading(event::deadline, read_some);
}
CONFORMANCE_TEST("tcp read_some: the peer has closed", "end") {
  co_return co_await deserted(peer::closes, true, false, read_some);
}
CONFORMANCE_TEST("tcp read_some: the peer closes", "end") {
  co_return co_await deserted(peer::closes, false, false, read_some);
}
CONFORMANCE_TEST("tcp read_some: the peer ends its half", "end") {
  co_return co_await deserted(peer::half_closes, false, false, read_some);
}
CONFORMANCE_TEST("tcp read_some: the peer has reset", "reset") {
  co_return co_await deserted(peer::resets, true, false, read_some);
}
CONFORMANCE_TEST("tcp read_some: the peer resets", "reset") {
  co_return co_await deserted(peer::resets, false, false, read_some);
}
CONFORMANCE_TEST("tcp read_some: data and a cancellation at once", "ok", "cancelled") {
  co_return co_await raced();
}

CONFORMANCE_TEST("tcp read_exactly: data is there", "ok") {
  co_return co_await reading(event::there, read_exactly);
}
CONFORMANCE_TEST("tcp read_exactly: data comes", "ok") {
  co_return co_await reading(event::later, read_exactly);
}
CONFORMANCE_TEST("tcp read_exactly: cancelled before", "cancelled") {
  co_return co_await reading(event::cancelled_before, read_exactly);
}
CONFORMANCE_TEST("tcp read_exactly: cancelled during", "cancelled") {
  co_return co_await reading(event::cancelled_during, read_exactly);
}
CONFORMANCE_TEST("tcp read_exactly: closed during", "closed") {
  co_return co_await reading(event::closed_during, read_exactly);
}
CONFORMANCE_TEST("tcp read_exactly: the deadline passes", "timed out") {
  co_return co_await reading(event::deadline, read_exactly);
}
CONFORMANCE_TEST("tcp read_exactly: the peer closes", "end") {
  co_return co_await deserted(peer::closes, false, false, read_exactly);
}
CONFORMANCE_TEST("tcp read_exactly: the peer resets", "reset") {
  co_return co_await deserted(peer::resets, false, false, read_exactly);
}

CONFORMANCE_TEST("tcp write_some: there is room", "ok") {
  co_return co_await writing(event::there, write_some);
}
CONFORMANCE_TEST("tcp write_some: the peer makes room", "ok") {
  co_return co_await writing(event::later, write_some);
}
CONFORMANCE_TEST("tcp write_some: cancelled before", "cancelled") {
  co_return co_await writing(event::cancelled_before, write_some);
}
CONFORMANCE_TEST("tcp write_some: cancelled during", "cancelled") {
  co_return co_await writing(event::cancelled_during, write_some);
}
CONFORMANCE_TEST("tcp write_some: closed during", "closed") {
  co_return co_await writing(event::closed_during, write_some);
}
CONFORMANCE_TEST("tcp write_some: the deadline passes", "timed out") {
  co_return co_await writing(event::deadline, write_some);
}
CONFORMANCE_TEST("tcp write_some: the peer closes with data unread", "reset", "~broken pipe") {
  co_return co_await deserted(peer::closes, false, true, write_some);
}
CONFORMANCE_TEST("tcp write_some: the peer resets", "reset", "~broken pipe") {
  co_return co_await deserted(peer::resets, false, true, write_some);
}

CONFORMANCE_TEST("tcp write_all: the peer makes room", "ok") {
  co_return co_await writing(event::later, write_all);
}
CONFORMANCE_TEST("tcp write_all: cancelled before", "cancelled") {
  co_return co_await writing(event::cancelled_before, write_all);
}
CONFORMANCE_TEST("tcp write_all: cancelled during", "cancelled") {
  co_return co_await writing(event::cancelled_during, write_all);
}
CONFORMANCE_TEST("tcp write_all: closed during", "closed") {
  co_return co_await writing(event::closed_during, write_all);
}
CONFORMANCE_TEST("tcp write_all: the deadline passes", "timed out") {
  co_return co_await writing(event::deadline, write_all);
}
CONFORMANCE_TEST("tcp write_all: the peer resets", "reset", "~broken pipe") {
  co_return co_await deserted(peer::resets, false, true, write_all);
}

CONFORMANCE_TEST("tcp accept: a connection is there", "ok") { co_return co_await accepting(event::there); }
CONFORMANCE_TEST("tcp accept: a connection comes", "ok") { co_return co_await accepting(event::later); }
CONFORMANCE_TEST("tcp accept: cancelled before", "cancelled") {
  co_return co_await accepting(event::cancelled_before);
}
CONFORMANCE_TEST("tcp accept: cancelled during", "cancelled") {
  co_return co_await accepting(event::cancelled_during);
}
CONFORMANCE_TEST("tcp accept: closed during", "closed") {
  co_return co_await accepting(event::closed_during);
}
CONFORMANCE_TEST("tcp accept: the deadline passes", "timed out") {
  co_return co_await accepting(event::deadline);
}

CONFORMANCE_TEST("tcp connect: somebody listens", "ok") {
  tcp_listener const listener = tcp_listener::listen(address::loopback(0));
  tcp_stream const stream = co_await tcp_stream::connect(listener.local_address());
  co_return stream.remote_address() == listener.local_address() ? "ok" : "elsewhere";
}
CONFORMANCE_TEST("tcp connect: nobody listens any more", "refused") {
  std::optional<tcp_listener> listener = tcp_listener::listen(address::loopback(0));
  address const gone = listener->local_address();
  listener.reset();
  co_await a_while();
  attempt a;
  action const connect = [&]() -> task<std::string> {
    tcp_stream const stream = co_await tcp_stream::connect(gone);
    co_return "ok";
  };
  co_await a.run(connect);
  co_return a.word;
}
CONFORMANCE_TEST("tcp connect: cancelled before", "cancelled") {
  tcp_listener const listener = tcp_listener::listen(address::loopback(0));
  address const to = listener.local_address();
  action const connect = [&]() -> task<std::string> {
    tcp_stream const stream = co_await tcp_stream::connect(to);
    co_return "ok";
  };
  co_return co_await under(event::cancelled_before, connect, {}, {});
}

CONFORMANCE_TEST("tcp read_some: what came before a reset", "ok, then reset") {
  ends c = co_await connected();
  co_await c.far.write_some("x");
  co_await settle(at);
  c.far.abort();
  co_await settle(at);
  std::string const first = co_await outcome_of(read_some(c.near));
  co_return first + ", then " + co_await outcome_of(read_some(c.near));
}
CONFORMANCE_TEST("tcp read_some: after a shutdown for reading", "end") {
  ends c = co_await connected();
  c.near.shutdown(plait::io::shutdown_direction::read);
  co_return co_await outcome_of(read_some(c.near));
}
CONFORMANCE_TEST("tcp read_some: the own half has ended, the peer's goes on", "end, then ok") {
  ends c = co_await connected();
  c.near.shutdown(plait::io::shutdown_direction::write);
  std::string const far = co_await outcome_of(read_some(c.far));
  co_await c.far.write_some("x");
  co_return far + ", then " + co_await outcome_of(read_some(c.near));
}
CONFORMANCE_TEST("tcp write_some: the peer has closed", "ok, then broken pipe, then end") {
  ends c = co_await connected();
  co_await c.far.close();
  co_await settle(at);
  std::string const first = co_await outcome_of(write_some(c.near));
  co_await settle(at);
  std::string const second = co_await outcome_of(write_some(c.near));
  co_return first + ", then " + second + ", then " + co_await outcome_of(read_some(c.near));
}
CONFORMANCE_TEST("tcp write_some: after a shutdown for writing", "broken pipe") {
  ends c = co_await connected();
  c.near.shutdown(plait::io::shutdown_direction::write);
  co_return co_await outcome_of(write_some(c.near));
}
CONFORMANCE_TEST("tcp accept: the listener closes before it accepts", "reset") {
  std::optional<tcp_listener> listener = tcp_listener::listen(address::loopback(0));
  tcp_stream client = co_await tcp_stream::connect(listener->local_address());
  co_await settle(at);
  listener.reset();
  co_return co_await outcome_of(read_some(client));
}
CONFORMANCE_TEST("tcp connect: the backlog is full, cancelled during", "cancelled") {
  co_return co_await crowding(event::cancelled_during);
}
CONFORMANCE_TEST("tcp connect: the backlog is full, and the deadline passes", "timed out") {
  co_return co_await crowding(event::deadline);
}

CONFORMANCE_TEST("wait_readable: data is there", "ok") { co_return co_await waiting_to_read(event::there); }
CONFORMANCE_TEST("wait_readable: data comes", "ok") { co_return co_await waiting_to_read(event::later); }
CONFORMANCE_TEST("wait_readable: cancelled before", "cancelled") {
  co_return co_await waiting_to_read(event::cancelled_before);
}
CONFORMANCE_TEST("wait_readable: cancelled during", "cancelled") {
  co_return co_await waiting_to_read(event::cancelled_during);
}
CONFORMANCE_TEST("wait_readable: the deadline passes", "timed out") {
  co_return co_await waiting_to_read(event::deadline);
}
CONFORMANCE_TEST("wait_writable: there is room", "ok") { co_return co_await waiting_to_write(event::there); }
CONFORMANCE_TEST("wait_writable: the peer makes room", "ok") {
  co_return co_await waiting_to_write(event::later);
}
CONFORMANCE_TEST("wait_writable: cancelled during", "cancelled") {
  co_return co_await waiting_to_write(event::cancelled_during);
}
CONFORMANCE_TEST("wait_writable: the deadline passes", "timed out") {
  co_return co_await waiting_to_write(event::deadline);
}

CONFORMANCE_TEST("tcp: a second reader", "busy") {
  ends c = co_await connected();
  attempt first;
  attempt second;
  co_await plait::with_task_group([&](task_group& g) -> task<> {
    auto const run = [&]() -> task<> { co_await first.run(read_some(c.near)); };
    g.spawn(run);
    co_await a_while();
    co_await second.run(read_some(c.near));
    co_await c.far.write_all("x");
    co_await g.join();
  });
  co_return first.word == "ok" ? second.word : "the first: " + first.word;
}
