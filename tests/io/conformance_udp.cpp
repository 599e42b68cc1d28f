// What UDP does on every driver, one operation and one event at a time.
#include "support/conformance.hpp"

#include <plait/io/udp.hpp>
#include <plait/io/wait.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <array>
#include <chrono>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::udp_options;
using plait::io::udp_socket;
using plait::test::a_while;
using plait::test::action;
using plait::test::attempt;
using plait::test::event;
using plait::test::outcome_of;
using plait::test::under;
using plait::test::while_waiting;

namespace {

// Longer than any message is under way, but for the very late ones.
constexpr auto long_while = 200ms;

struct sockets {
  udp_socket near = udp_socket::bind(address::loopback(0));
  udp_socket far = udp_socket::bind(address::loopback(0));
};

action receive(udp_socket& by) {
  return [&by]() -> task<std::string> {
    std::array<char, 100> buffer;
    auto const got = co_await by.receive_from(buffer);
    co_return std::string(buffer.data(), got.bytes) + (got.truncated() ? " cut" : "");
  };
}

action send_to(udp_socket& by, address to, std::size_t bytes) {
  return [&by, to, bytes]() -> task<std::string> {
    std::string const text(bytes, 'y');
    std::size_t const n = co_await by.send_to(to, text);
    co_return n == bytes ? "ok" : "a part";
  };
}

action send(udp_socket& by) {
  return [&by]() -> task<std::string> {
    co_await by.send("x");
    co_return "ok";
  };
}

task<std::string> receiving(event e) {
  sockets s;
  address const to = s.near.local_address();
  auto const complete = [&]() -> task<> { co_await s.far.send_to(to, "ok"); };
  auto const close = [&]() -> task<> { co_await s.near.close(); };
  co_return co_await under(e, receive(s.near), complete, close);
}

task<std::string> sending(event e) {
  sockets s;
  auto const nothing = []() -> task<> { co_return; };
  co_return co_await under(e, send_to(s.near, s.far.local_address(), 10), nothing, nothing);
}

// Connected to where nobody is any more.
task<udp_socket> abandoned() {
  udp_socket near = udp_socket::bind(address::loopback(0));
  {
    udp_socket const gone = udp_socket::bind(address::loopback(0));
    near.connect(gone.local_address());
  }
  co_return near;
}

task<std::string> sized(std::size_t bytes) {
  sockets s;
  std::string const word = co_await outcome_of(send_to(s.far, s.near.local_address(), bytes));
  if (word != "ok") co_return word;
  std::string buffer(70'000, '\0');
  auto const got = co_await s.near.receive_from(buffer);
  co_return got.bytes == bytes&& got.sender == s.far.local_address() ? "ok" : "another message";
}

}  // namespace

CONFORMANCE_TEST("udp receive: a message is there", "ok") {
  co_return co_await receiving(event::there);
}
CONFORMANCE_TEST("udp receive: a message comes", "ok") {
  co_return co_await receiving(event::later);
}
CONFORMANCE_TEST("udp receive: cancelled before", "cancelled") {
  co_return co_await receiving(event::cancelled_before);
}
CONFORMANCE_TEST("udp receive: cancelled during", "cancelled") {
  co_return co_await receiving(event::cancelled_during);
}
CONFORMANCE_TEST("udp receive: closed during", "closed") {
  co_return co_await receiving(event::closed_during);
}
CONFORMANCE_TEST("udp receive: the deadline passes", "timed out") {
  co_return co_await receiving(event::deadline);
}
CONFORMANCE_TEST("udp receive: an empty message", "ok") { co_return co_await sized(0); }
CONFORMANCE_TEST("udp receive: the longest message", "ok") { co_return co_await sized(65507); }
CONFORMANCE_TEST("udp receive: a buffer that is too short", "12 cut") {
  sockets s;
  address const to = s.near.local_address();
  co_await s.far.send_to(to, "12345");
  std::array<char, 2> buffer;
  auto const got = co_await s.near.receive_from(buffer);
  if (got.sent_bytes != 5) co_return "of another length";
  co_return std::string(buffer.data(), got.bytes) + (got.truncated() ? " cut" : "");
}
CONFORMANCE_TEST("udp receive: a message and a cancellation at once", "ok", "cancelled") {
  sockets s;
  address const to = s.near.local_address();
  attempt a;
  action const act = receive(s.near);
  co_await plait::with_task_group([&](task_group& g) -> task<> {
    auto const run = [&]() -> task<> { co_await a.run(act); };
    auto const write = [&]() -> task<> { co_await s.far.send_to(to, "ok"); };
    g.spawn(run);
    g.spawn(write);
    co_await plait::sleep_for(1ms);
    if (a.scope != nullptr) a.scope->cancel();
    co_await g.join();
  });
  std::string other = "ok";
  if (a.word != "ok") other = co_await outcome_of(receive(s.near));
  co_return other == "ok" ? a.word : "lost";
}
CONFORMANCE_TEST(
    "udp receive: messages that nobody reads are dropped, and those that are kept are whole",
    "some") {
  udp_socket near =
      udp_socket::bind(address::loopback(0), udp_options{.receive_buffer_bytes = 4096});
  udp_socket far = udp_socket::bind(address::loopback(0));
  address const to = near.local_address();
  std::string const text(1000, 'z');
  for (int i = 0; i < 100; ++i) co_await far.send_to(to, text);
  co_await plait::sleep_for(long_while);
  int received = 0;
  for (bool goes_on = true; goes_on;) {
    auto const take = [&]() -> task<> {
      std::string buffer(2000, '\0');
      auto const got = co_await near.receive_from(buffer);
      if (got.bytes == text.size()) ++received;
    };
    goes_on = co_await plait::move_on_after(3ms, take);
  }
  co_return received > 0 && received < 100 ? "some" : std::to_string(received);
}
CONFORMANCE_TEST("udp receive: connected, it hears its peer and nobody else", "peer") {
  sockets s;
  udp_socket third = udp_socket::bind(address::loopback(0));
  address const to = s.near.local_address();
  s.near.connect(s.far.local_address());
  co_await third.send_to(to, "third");
  co_await plait::sleep_for(long_while);
  co_await s.far.send_to(to, "peer");
  co_return co_await outcome_of(receive(s.near));
}
CONFORMANCE_TEST("udp receive: the peer's port is closed", "refused") {
  udp_socket near = co_await abandoned();
  auto const knock = [&]() -> task<> { co_await near.send("x"); };
  co_return co_await while_waiting(receive(near), knock);
}
CONFORMANCE_TEST("udp receive: not connected, it hears of no refusal", "timed out") {
  udp_socket near = udp_socket::bind(address::loopback(0));
  address nowhere;
  {
    udp_socket const gone = udp_socket::bind(address::loopback(0));
    nowhere = gone.local_address();
  }
  co_await near.send_to(nowhere, "x");
  co_await a_while();
  auto const nothing = []() -> task<> { co_return; };
  co_return co_await under(event::deadline, receive(near), nothing, nothing);
}

CONFORMANCE_TEST("udp send: there is room", "ok") { co_return co_await sending(event::there); }
CONFORMANCE_TEST("udp send: cancelled before", "cancelled") {
  co_return co_await sending(event::cancelled_before);
}
CONFORMANCE_TEST("udp send: a message that is too long", "too long") {
  co_return co_await sized(65508);
}
CONFORMANCE_TEST("udp send: without an address", "no address") {
  udp_socket near = udp_socket::bind(address::loopback(0));
  co_return co_await outcome_of(send(near));
}
CONFORMANCE_TEST("udp send: to port 0", "invalid") {
  udp_socket near = udp_socket::bind(address::loopback(0));
  co_return co_await outcome_of(send_to(near, address::loopback(0), 1));
}
CONFORMANCE_TEST("udp send: to an address of another family", "another family") {
  udp_socket near = udp_socket::bind(address::loopback(0));
  co_return co_await outcome_of(send_to(near, address("::1", 5), 1));
}
CONFORMANCE_TEST("udp send: the peer's port is closed", "refused, then ok") {
  udp_socket near = co_await abandoned();
  co_await near.send("x");
  co_await plait::sleep_for(long_while);
  std::string const first = co_await outcome_of(send(near));
  std::string const second = co_await outcome_of(send(near));
  co_return first + ", then " + second;
}
CONFORMANCE_TEST("udp send: connected, the peer answers", "there and back") {
  sockets s;
  s.near.connect(s.far.local_address());
  co_await s.near.send("there");
  std::array<char, 10> buffer;
  auto const got = co_await s.far.receive_from(buffer);
  co_await s.far.send_to(got.sender, "back");
  std::string const there(buffer.data(), got.bytes);
  co_return there + " and " + co_await outcome_of(receive(s.near));
}

CONFORMANCE_TEST("udp bind: the port is taken", "in use") {
  udp_socket const first = udp_socket::bind(address::loopback(0));
  action const again = [&]() -> task<std::string> {
    udp_socket const second = udp_socket::bind(first.local_address());
    co_return "ok";
  };
  co_return co_await outcome_of(again);
}
CONFORMANCE_TEST("udp bind: the port is shared", "ok") {
  udp_options const shared{.reuse_port = true};
  udp_socket const first = udp_socket::bind(address::loopback(0), shared);
  action const again = [&]() -> task<std::string> {
    udp_socket const second = udp_socket::bind(first.local_address(), shared);
    co_return "ok";
  };
  co_return co_await outcome_of(again);
}
CONFORMANCE_TEST("udp bind: the port is free again after the close", "ok") {
  udp_socket first = udp_socket::bind(address::loopback(0));
  address const taken = first.local_address();
  co_await first.close();
  action const again = [&]() -> task<std::string> {
    udp_socket const second = udp_socket::bind(taken);
    co_return "ok";
  };
  co_return co_await outcome_of(again);
}

CONFORMANCE_TEST("udp: a second receiver", "busy") {
  sockets s;
  address const to = s.near.local_address();
  std::string second;
  auto const other = [&]() -> task<> {
    second = co_await outcome_of(receive(s.near));
    co_await s.far.send_to(to, "ok");
  };
  std::string const first = co_await while_waiting(receive(s.near), other);
  co_return first == "ok" ? second : "the first: " + first;
}
CONFORMANCE_TEST("udp wait_readable: a message comes", "ok") {
  sockets s;
  address const to = s.near.local_address();
  action const wait = [&]() -> task<std::string> {
    co_await plait::io::wait_readable(s.near.fd());
    co_return "ok";
  };
  auto const write = [&]() -> task<> { co_await s.far.send_to(to, "x"); };
  co_return co_await while_waiting(wait, write);
}
