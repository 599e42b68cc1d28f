// What UNIX datagrams, and descriptors that are passed, do on every driver, one operation and one
// event at a time.
#include "support/conformance.hpp"

#include <plait/io/pipe.hpp>
#include <plait/io/unix.hpp>
#include <plait/sleep.hpp>
#include <plait/system_calls.hpp>
#include <plait/timeout.hpp>

#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <vector>

using namespace std::chrono_literals;
using plait::task;
using plait::io::pipe_pair;
using plait::io::pipe_writer;
using plait::io::received_descriptors;
using plait::io::unix_address;
using plait::io::unix_datagram;
using plait::io::unix_stream;
using plait::test::action;
using plait::test::event;
using plait::test::outcome_of;
using plait::test::then_set;
using plait::test::under;
using plait::test::while_waiting;

namespace {

action receive(unix_datagram& by) {
  return [&by]() -> task<std::string> {
    std::array<char, 100> buffer;
    auto const got = co_await by.receive_from(buffer);
    co_return std::string(buffer.data(), got.bytes);
  };
}

action send_to(unix_datagram& by, std::string path) {
  return [&by, path]() -> task<std::string> {
    co_await by.send_to(unix_address(path), "x");
    co_return "ok";
  };
}

action send(unix_datagram& by, std::size_t bytes = 1) {
  return [&by, bytes]() -> task<std::string> {
    std::string const text(bytes, 'x');
    co_await by.send(text);
    co_return "ok";
  };
}

task<std::string> receiving(event e) {
  auto [near, far] = unix_datagram::pair();
  unix_datagram& by = near;
  unix_datagram& from = far;
  auto const complete = [&from]() -> task<> { co_await from.send("ok"); };
  auto const close = [&by]() -> task<> { co_await by.close(); };
  co_return co_await under(e, receive(by), complete, close);
}

task<> fill(action const& act) {
  for (bool goes_on = true; goes_on;) {
    auto const send_one = [&]() -> task<> { co_await act(); };
    goes_on = co_await plait::move_on_after(3ms, send_one);
  }
}

// To a receiver whose queue is full, by name or connected.
task<std::string> sending(event e, bool connected, std::string path) {
  unix_datagram far = unix_datagram::bind(unix_address(path));
  unix_datagram near = unix_datagram::open();
  if (connected) near.connect(unix_address(path));
  action const one = connected ? send(near) : send_to(near, path);
  co_await fill(one);
  bool done = false;
  auto const complete = [&]() -> task<> {
    while (!done) {
      auto const read = [&]() -> task<> { co_await receive(far)(); };
      bool const in_time = co_await plait::move_on_after(3ms, read);
      static_cast<void>(in_time);
    }
  };
  auto const close = [&]() -> task<> { co_await near.close(); };
  co_return co_await under(e, then_set(done, one), complete, close);
}

struct ends {
  unix_stream near;
  unix_stream far;

  static ends pair() {
    auto [one, other] = unix_stream::pair();
    return {std::move(one), std::move(other)};
  }
};

// How many bytes and descriptors came.
action receive_passed(unix_stream& by) {
  return [&by]() -> task<std::string> {
    std::array<char, 16> buffer;
    received_descriptors const got = co_await by.receive_descriptors(buffer);
    if (got.bytes == 0) co_return "end";
    co_return std::to_string(got.bytes) + "+" + std::to_string(got.descriptors.size());
  };
}

// g++ 12 takes no braced list in a co_await expression.
template <class... Fds>
std::vector<int> these(Fds... fds) {
  return {fds...};
}

task<> pass(unix_stream& by, std::vector<int> fds, std::string text) {
  co_await by.send_descriptors(fds, text);
}

task<std::string> receiving_passed(event e) {
  ends c = ends::pair();
  pipe_pair p = pipe_pair::open();
  auto const complete = [&]() -> task<> {
    co_await pass(c.far, these(p.reader.fd(), p.writer.fd()), "x");
  };
  auto const close = [&]() -> task<> { co_await c.near.close(); };
  co_return co_await under(e, receive_passed(c.near), complete, close);
}

// What comes until every writing end of the pipe is closed.
action hear_end(pipe_pair& p) {
  return [&p]() -> task<std::string> {
    std::string all;
    for (;;) {
      std::array<char, 16> buffer;
      std::size_t const n = co_await p.reader.read_some(buffer);
      if (n == 0) co_return all.empty() ? "end" : all;
      all.append(buffer.data(), n);
    }
  };
}

}  // namespace

CONFORMANCE_TEST("unix_datagram receive: a message is there", "ok") {
  co_return co_await receiving(event::there);
}
CONFORMANCE_TEST("unix_datagram receive: a message comes", "ok") {
  co_return co_await receiving(event::later);
}
CONFORMANCE_TEST("unix_datagram receive: cancelled before", "cancelled") {
  co_return co_await receiving(event::cancelled_before);
}
CONFORMANCE_TEST("unix_datagram receive: cancelled during", "cancelled") {
  co_return co_await receiving(event::cancelled_during);
}
CONFORMANCE_TEST("unix_datagram receive: closed during", "closed") {
  co_return co_await receiving(event::closed_during);
}
CONFORMANCE_TEST("unix_datagram receive: the deadline passes", "timed out") {
  co_return co_await receiving(event::deadline);
}
CONFORMANCE_TEST("unix_datagram receive: messages stay whole and in order", "1,,333") {
  auto [near, far] = unix_datagram::pair();
  co_await far.send("1");
  co_await far.send("");
  co_await far.send("333");
  std::string const first = co_await outcome_of(receive(near));
  std::string const second = co_await outcome_of(receive(near));
  std::string const third = co_await outcome_of(receive(near));
  co_return first + "," + second + "," + third;
}
CONFORMANCE_TEST("unix_datagram receive: a buffer that is too short", "2 of 5") {
  auto [near, far] = unix_datagram::pair();
  co_await far.send("12345");
  std::array<char, 2> buffer;
  auto const got = co_await near.receive_from(buffer);
  co_return std::to_string(got.bytes) + " of " + std::to_string(got.sent_bytes);
}
CONFORMANCE_TEST("unix_datagram receive: the sender's name", "named, unnamed") {
  unix_datagram near = unix_datagram::bind(unix_address(at.path("near")));
  unix_datagram named = unix_datagram::bind(unix_address(at.path("named")));
  unix_datagram unnamed = unix_datagram::open();
  std::array<char, 10> buffer;
  co_await named.send_to(unix_address(at.path("near")), "x");
  auto const first = co_await near.receive_from(buffer);
  co_await unnamed.send_to(unix_address(at.path("near")), "x");
  auto const second = co_await near.receive_from(buffer);
  bool const right = first.sender == named.local_address() && second.sender.is_unnamed();
  co_return right ? "named, unnamed" : "another name";
}

CONFORMANCE_TEST("unix_datagram send_to: the receiver is full, and reads", "ok") {
  co_return co_await sending(event::later, false, at.path("s"));
}
CONFORMANCE_TEST("unix_datagram send_to: the receiver is full, cancelled during", "cancelled") {
  co_return co_await sending(event::cancelled_during, false, at.path("s"));
}
CONFORMANCE_TEST("unix_datagram send_to: the receiver is full, closed during", "closed") {
  co_return co_await sending(event::closed_during, false, at.path("s"));
}
CONFORMANCE_TEST("unix_datagram send_to: the receiver is full, and the deadline passes",
                 "timed out") {
  co_return co_await sending(event::deadline, false, at.path("s"));
}
CONFORMANCE_TEST("unix_datagram send: the receiver is full, and reads", "ok") {
  co_return co_await sending(event::later, true, at.path("s"));
}
CONFORMANCE_TEST("unix_datagram send: the receiver is full, cancelled during", "cancelled") {
  co_return co_await sending(event::cancelled_during, true, at.path("s"));
}
CONFORMANCE_TEST("unix_datagram send: the receiver is full, and the deadline passes", "timed out") {
  co_return co_await sending(event::deadline, true, at.path("s"));
}
CONFORMANCE_TEST("unix_datagram send: cancelled before", "cancelled") {
  co_return co_await sending(event::cancelled_before, true, at.path("s"));
}
CONFORMANCE_TEST("unix_datagram send: the receiver is full, and closes", "refused") {
  std::optional<unix_datagram> far = unix_datagram::bind(unix_address(at.path("s")));
  unix_datagram near = unix_datagram::open();
  near.connect(unix_address(at.path("s")));
  co_await fill(send(near));
  auto const close = [&]() -> task<> { co_await far->close(); };
  co_return co_await while_waiting(send(near), close);
}
CONFORMANCE_TEST("unix_datagram send: the peer has closed", "refused, then not connected") {
  auto [near, far] = unix_datagram::pair();
  co_await far.close();
  std::string const first = co_await outcome_of(send(near));
  std::string const second = co_await outcome_of(send(near));
  co_return first + ", then " + second;
}
CONFORMANCE_TEST("unix_datagram send: without a peer", "not connected") {
  unix_datagram near = unix_datagram::open();
  co_return co_await outcome_of(send(near));
}
CONFORMANCE_TEST("unix_datagram send: a message that is too long", "too long") {
  auto [near, far] = unix_datagram::pair();
  co_return co_await outcome_of(send(near, 8'000'000));
}
CONFORMANCE_TEST("unix_datagram send_to: no such file", "not there") {
  unix_datagram near = unix_datagram::open();
  co_return co_await outcome_of(send_to(near, at.path("s")));
}
CONFORMANCE_TEST("unix_datagram send_to: to who hears somebody else", "not permitted") {
  unix_datagram far = unix_datagram::bind(unix_address(at.path("far")));
  unix_datagram const third = unix_datagram::bind(unix_address(at.path("third")));
  far.connect(unix_address(at.path("third")));
  unix_datagram near = unix_datagram::open();
  co_return co_await outcome_of(send_to(near, at.path("far")));
}

CONFORMANCE_TEST("passing: descriptors are there", "1+2") {
  co_return co_await receiving_passed(event::there);
}
CONFORMANCE_TEST("passing: descriptors come", "1+2") {
  co_return co_await receiving_passed(event::later);
}
CONFORMANCE_TEST("passing: cancelled before", "cancelled") {
  co_return co_await receiving_passed(event::cancelled_before);
}
CONFORMANCE_TEST("passing: cancelled during", "cancelled") {
  co_return co_await receiving_passed(event::cancelled_during);
}
CONFORMANCE_TEST("passing: closed during", "closed") {
  co_return co_await receiving_passed(event::closed_during);
}
CONFORMANCE_TEST("passing: the deadline passes", "timed out") {
  co_return co_await receiving_passed(event::deadline);
}
CONFORMANCE_TEST("passing: the peer closes", "end") {
  ends c = ends::pair();
  auto const close = [&]() -> task<> { co_await c.far.close(); };
  co_return co_await while_waiting(receive_passed(c.near), close);
}
CONFORMANCE_TEST("passing: what was passed works when the original is closed", "ok") {
  ends c = ends::pair();
  pipe_pair p = pipe_pair::open();
  co_await pass(c.far, these(p.writer.fd()), "x");
  co_await p.writer.close();
  std::array<char, 4> buffer;
  received_descriptors got = co_await c.near.receive_descriptors(buffer);
  pipe_writer passed(std::move(got.descriptors.at(0)));
  co_await passed.write_all("ok");
  co_await passed.close();
  co_return co_await outcome_of(hear_end(p));
}
CONFORMANCE_TEST("passing: a plain read drops the descriptors", "end") {
  ends c = ends::pair();
  pipe_pair p = pipe_pair::open();
  co_await pass(c.far, these(p.writer.fd()), "x");
  co_await p.writer.close();
  std::array<char, 4> buffer;
  co_await c.near.read_exactly(plait::io::mutable_buffer(buffer.data(), 1));
  co_return co_await outcome_of(hear_end(p));
}
CONFORMANCE_TEST("passing: descriptors that nobody takes are closed with the stream", "end") {
  ends c = ends::pair();
  pipe_pair p = pipe_pair::open();
  co_await pass(c.far, these(p.writer.fd()), "x");
  co_await p.writer.close();
  co_await c.near.close();
  co_return co_await outcome_of(hear_end(p));
}
CONFORMANCE_TEST("passing: a read ends behind the bytes that descriptors came with", "2 messages") {
  ends c = ends::pair();
  pipe_pair p = pipe_pair::open();
  co_await pass(c.far, these(p.reader.fd()), "a");
  co_await pass(c.far, these(p.writer.fd()), "b");
  std::string const first = co_await outcome_of(receive_passed(c.near));
  std::string const second = co_await outcome_of(receive_passed(c.near));
  co_return first == "1+1" && second == "1+1" ? "2 messages" : first + " " + second;
}
CONFORMANCE_TEST("passing: no room for the second descriptor", "1, cut") {
  ends c = ends::pair();
  pipe_pair p = pipe_pair::open();
  co_await pass(c.far, these(p.reader.fd(), p.writer.fd()), "x");
  plait::system_calls& sys = plait::scheduler::current().sys();
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_LEN(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t const n = sys.recvmsg(c.near.fd(), message, MSG_DONTWAIT);
  if (n != 1 || CMSG_FIRSTHDR(&message) == nullptr) co_return "nothing";
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  bool const open = sys.is_open(fd);
  sys.close(fd);
  co_return open && (message.msg_flags & MSG_CTRUNC) != 0 ? "1, cut" : "whole";
}
CONFORMANCE_TEST("passing: more descriptors than a message takes", "invalid") {
  ends c = ends::pair();
  action const act = [&]() -> task<std::string> {
    co_await pass(c.far, std::vector<int>(254, c.near.fd()), "x");
    co_return "ok";
  };
  co_return co_await outcome_of(act);
}
CONFORMANCE_TEST("passing: a number that is no descriptor", "no descriptor") {
  ends c = ends::pair();
  action const act = [&]() -> task<std::string> {
    co_await pass(c.far, these(1 << 28), "x");
    co_return "ok";
  };
  co_return co_await outcome_of(act);
}
CONFORMANCE_TEST("passing: the peer has closed", "broken pipe") {
  ends c = ends::pair();
  co_await c.near.close();
  action const act = [&]() -> task<std::string> {
    co_await pass(c.far, these(c.far.fd()), "x");
    co_return "ok";
  };
  co_return co_await outcome_of(act);
}
CONFORMANCE_TEST("passing: a stream that is passed goes on", "ok") {
  ends c = ends::pair();
  ends other = ends::pair();
  co_await other.far.write_all("ok");
  co_await pass(c.far, these(other.near.fd()), "x");
  co_await other.near.close();
  std::array<char, 4> buffer;
  received_descriptors got = co_await c.near.receive_descriptors(buffer);
  unix_stream passed(std::move(got.descriptors.at(0)));
  std::array<char, 2> text;
  co_await passed.read_exactly(text);
  co_return std::string(text.data(), text.size());
}
