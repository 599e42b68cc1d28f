// What the conformance suites of TCP, UNIX sockets and pipes do with a stream, whichever it is.
#pragma once

#include "support/conformance.hpp"

#include <plait/task.hpp>
#include <plait/timeout.hpp>

#include <array>
#include <cstddef>
#include <string>

namespace plait::test {

template <class Stream>
action read_some(Stream& from) {
  return [&from]() -> task<std::string> {
    std::array<char, 16> buffer;
    std::size_t const n = co_await from.read_some(buffer);
    co_return n == 0 ? "end" : "ok";
  };
}

template <class Stream>
action read_exactly(Stream& from) {
  return [&from]() -> task<std::string> {
    std::array<char, 8> buffer;
    co_await from.read_exactly(buffer);
    co_return "ok";
  };
}

template <class Stream>
action write_some(Stream& to) {
  return [&to]() -> task<std::string> {
    std::string const text(1000, 'y');
    co_await to.write_some(text);
    co_return "ok";
  };
}

// More than is taken while nobody reads.
template <class Stream>
action write_bytes(Stream& to, std::size_t bytes) {
  return [&to, bytes]() -> task<std::string> {
    std::string const text(bytes, 'y');
    co_await to.write_all(text);
    co_return "ok";
  };
}

template <class Listener>
action accept(Listener& listener) {
  return [&listener]() -> task<std::string> {
    auto const accepted = co_await listener.accept();
    co_return "ok";
  };
}

// Until a piece finds no room for so long.
template <class Stream>
task<> fill(Stream& to, std::size_t piece_bytes, duration patience) {
  std::string const text(piece_bytes, 'x');
  for (bool goes_on = true; goes_on;) {
    auto const write = [&]() -> task<> { co_await to.write_some(text); };
    goes_on = co_await move_on_after(patience, write);
  }
}

// Reads until what waits for room has ended.
template <class Stream>
task<> drain(Stream& from, bool const& done, duration patience) {
  std::array<char, 65536> buffer;
  while (!done) {
    auto const read = [&]() -> task<> { co_await from.read_some(buffer); };
    bool const in_time = co_await move_on_after(patience, read);
    static_cast<void>(in_time);
  }
}

// `act` reads from the near end; what completes it is written to the far one.
template <class Near, class Far>
task<std::string> read_under(event e, action const& act, Near& near, Far& far) {
  auto const complete = [&]() -> task<> { co_await far.write_all("12345678"); };
  auto const close = [&]() -> task<> { co_await near.close(); };
  co_return co_await under(e, act, complete, close);
}

// `act` writes to the near end; what completes it is read at the far one.
template <class Near, class Far>
task<std::string> write_under(event e, action const& act, Near& near, Far& far, duration patience) {
  bool done = false;
  auto const complete = [&]() -> task<> {
    if (e == event::later) co_await drain(far, done, patience);
  };
  auto const close = [&]() -> task<> { co_await near.close(); };
  action const noted = then_set(done, act);
  co_return co_await under(e, noted, complete, close);
}

}  // namespace plait::test
