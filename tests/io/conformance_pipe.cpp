// What pipes do on every driver, one operation and one event at a time.
#include "support/stream_actions.hpp"

#include <plait/io/pipe.hpp>
#include <plait/io/wait.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <array>
#include <chrono>
#include <climits>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::pipe_pair;
using plait::io::pipe_reader;
using plait::io::pipe_writer;
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
using plait::test::while_waiting;
using plait::test::write_bytes;
using plait::test::write_some;
using plait::test::write_under;

namespace {

action write_all(pipe_writer& to) { return write_bytes(to, 200'000); }

action wait_for(int fd, short events) {
  return [fd, events]() -> task<std::string> {
    plait::fd_wait wait(fd, events);
    int const there = co_await std::move(wait);
    co_return (there & (POLLERR | POLLHUP)) != 0 ? "hung up" : "ok";
  };
}

constexpr auto patience = 3ms;

task<> fill(pipe_writer& to) { return plait::test::fill(to, PIPE_BUF, patience); }

task<std::string> reading(event e, action (*make)(pipe_reader&)) {
  pipe_pair p = pipe_pair::open();
  action const act = make(p.reader);
  co_return co_await read_under(e, act, p.reader, p.writer);
}

task<std::string> writing(event e, action (*make)(pipe_writer&)) {
  pipe_pair p = pipe_pair::open();
  if (e != event::there) co_await fill(p.writer);
  action const act = make(p.writer);
  co_return co_await write_under(e, act, p.writer, p.reader, patience);
}

// The other end is closed before the action begins, or while it waits.
task<std::string> deserted_reader(bool before, std::string text, action (*make)(pipe_reader&)) {
  pipe_pair p = pipe_pair::open();
  if (!text.empty()) co_await p.writer.write_all(text);
  auto const close = [&]() -> task<> { co_await p.writer.close(); };
  action const act = make(p.reader);
  co_return co_await under(before ? event::there : event::later, act, close, close);
}

task<std::string> deserted_writer(bool before, action (*make)(pipe_writer&)) {
  pipe_pair p = pipe_pair::open();
  if (!before) co_await fill(p.writer);
  auto const close = [&]() -> task<> { co_await p.reader.close(); };
  action const act = make(p.writer);
  co_return co_await under(before ? event::there : event::later, act, close, close);
}

}  // namespace

CONFORMANCE_TEST("pipe read_some: data is there", "ok") {
  co_return co_await reading(event::there, read_some);
}
CONFORMANCE_TEST("pipe read_some: data comes", "ok") {
  co_return co_await reading(event::later, read_some);
}
CONFORMANCE_TEST("pipe read_some: cancelled before", "cancelled") {
  co_return co_await reading(event::cancelled_before, read_some);
}
CONFORMANCE_TEST("pipe read_some: cancelled during", "cancelled") {
  co_return co_await reading(event::cancelled_during, read_some);
}
CONFORMANCE_TEST("pipe read_some: closed during", "closed") {
  co_return co_await reading(event::closed_during, read_some);
}
CONFORMANCE_TEST("pipe read_some: the deadline passes", "timed out") {
  co_return co_await reading(event::deadline, read_some);
}
CONFORMANCE_TEST("pipe read_some: the writer has closed", "end") {
  co_return co_await deserted_reader(true, "", read_some);
}
CONFORMANCE_TEST("pipe read_some: the writer closes", "end") {
  co_return co_await deserted_reader(false, "", read_some);
}
CONFORMANCE_TEST("pipe read_some: the writer has closed behind its data", "ok") {
  co_return co_await deserted_reader(true, "1234", read_some);
}
CONFORMANCE_TEST("pipe read_some: no buffer", "end") {
  pipe_pair p = pipe_pair::open();
  std::array<char, 0> nothing;
  std::size_t const n = co_await p.reader.read_some(nothing);
  co_return n == 0 ? "end" : "ok";
}
CONFORMANCE_TEST("pipe read_some: data and a cancellation at once", "ok", "cancelled") {
  pipe_pair p = pipe_pair::open();
  std::string got;
  attempt a;
  action const act = [&]() -> task<std::string> {
    std::array<char, 8> buffer;
    std::size_t const n = co_await p.reader.read_some(buffer);
    got.append(buffer.data(), n);
    co_return "ok";
  };
  co_await plait::with_task_group([&](task_group& g) -> task<> {
    auto const run = [&]() -> task<> { co_await a.run(act); };
    auto const write = [&]() -> task<> { co_await p.writer.write_all("12345678"); };
    g.spawn(run);
    g.spawn(write);
    co_await plait::sleep_for(60us);
    if (a.scope != nullptr) a.scope->cancel();
    co_await g.join();
  });
  co_await p.writer.close();
  for (;;) {
    std::array<char, 8> buffer;
    std::size_t const n = co_await p.reader.read_some(buffer);
    if (n == 0) break;
    got.append(buffer.data(), n);
  }
  co_return got == "12345678" ? a.word : "lost: " + got;
}

CONFORMANCE_TEST("pipe read_exactly: data comes", "ok") {
  co_return co_await reading(event::later, read_exactly);
}
CONFORMANCE_TEST("pipe read_exactly: cancelled during", "cancelled") {
  co_return co_await reading(event::cancelled_during, read_exactly);
}
CONFORMANCE_TEST("pipe read_exactly: closed during", "closed") {
  co_return co_await reading(event::closed_during, read_exactly);
}
CONFORMANCE_TEST("pipe read_exactly: the writer closes in the middle", "end") {
  co_return co_await deserted_reader(false, "1234", read_exactly);
}

CONFORMANCE_TEST("pipe write_some: there is room", "ok") {
  co_return co_await writing(event::there, write_some);
}
CONFORMANCE_TEST("pipe write_some: the reader makes room", "ok") {
  co_return co_await writing(event::later, write_some);
}
CONFORMANCE_TEST("pipe write_some: cancelled before", "cancelled") {
  co_return co_await writing(event::cancelled_before, write_some);
}
CONFORMANCE_TEST("pipe write_some: cancelled during", "cancelled") {
  co_return co_await writing(event::cancelled_during, write_some);
}
CONFORMANCE_TEST("pipe write_some: closed during", "closed") {
  co_return co_await writing(event::closed_during, write_some);
}
CONFORMANCE_TEST("pipe write_some: the deadline passes", "timed out") {
  co_return co_await writing(event::deadline, write_some);
}
CONFORMANCE_TEST("pipe write_some: the reader has closed", "broken pipe") {
  co_return co_await deserted_writer(true, write_some);
}
CONFORMANCE_TEST("pipe write_some: the reader closes", "broken pipe") {
  co_return co_await deserted_writer(false, write_some);
}
// A part of it would mix with what others write.
CONFORMANCE_TEST("pipe write_some: up to PIPE_BUF bytes go whole or not at all", "whole") {
  pipe_pair p = pipe_pair::open();
  co_await p.writer.write_all("1");
  co_await fill(p.writer);
  std::string const text(PIPE_BUF, 'z');
  std::size_t written = 0;
  auto const write = [&]() -> task<std::string> {
    written = co_await p.writer.write_some(text);
    co_return "written";
  };
  bool done = false;
  auto const read = [&]() -> task<> { co_await drain(p.reader, done, patience); };
  std::string const word = co_await while_waiting(then_set(done, write), read);
  co_return word == "written" && written == text.size() ? "whole"
                                                        : word + " " + std::to_string(written);
}

CONFORMANCE_TEST("pipe write_all: the reader makes room", "ok") {
  co_return co_await writing(event::later, write_all);
}
CONFORMANCE_TEST("pipe write_all: cancelled before", "cancelled") {
  co_return co_await writing(event::cancelled_before, write_all);
}
CONFORMANCE_TEST("pipe write_all: cancelled during", "cancelled") {
  co_return co_await writing(event::cancelled_during, write_all);
}
CONFORMANCE_TEST("pipe write_all: the reader closes in the middle", "broken pipe") {
  co_return co_await deserted_writer(false, write_all);
}

CONFORMANCE_TEST("pipe: a second reader", "busy") {
  pipe_pair p = pipe_pair::open();
  std::string second;
  auto const other = [&]() -> task<> {
    second = co_await outcome_of(read_some(p.reader));
    co_await p.writer.write_all("x");
  };
  std::string const first = co_await while_waiting(read_some(p.reader), other);
  co_return first == "ok" ? second : "the first: " + first;
}

CONFORMANCE_TEST("pipe wait_readable: data comes", "ok") {
  pipe_pair p = pipe_pair::open();
  auto const write = [&]() -> task<> { co_await p.writer.write_all("x"); };
  co_return co_await while_waiting(wait_for(p.reader.fd(), POLLIN), write);
}
CONFORMANCE_TEST("pipe wait_readable: the writer closes", "hung up") {
  pipe_pair p = pipe_pair::open();
  auto const close = [&]() -> task<> { co_await p.writer.close(); };
  co_return co_await while_waiting(wait_for(p.reader.fd(), POLLIN), close);
}
CONFORMANCE_TEST("pipe wait_writable: the reader makes room", "ok") {
  pipe_pair p = pipe_pair::open();
  co_await fill(p.writer);
  bool done = false;
  auto const read = [&]() -> task<> { co_await drain(p.reader, done, patience); };
  co_return co_await while_waiting(then_set(done, wait_for(p.writer.fd(), POLLOUT)), read);
}
CONFORMANCE_TEST("pipe wait_writable: the reader closes", "hung up") {
  pipe_pair p = pipe_pair::open();
  co_await fill(p.writer);
  auto const close = [&]() -> task<> { co_await p.reader.close(); };
  co_return co_await while_waiting(wait_for(p.writer.fd(), POLLOUT), close);
}
