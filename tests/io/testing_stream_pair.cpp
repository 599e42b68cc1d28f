// What a pair's options do, and how its streams wait. That they keep a stream's promises is in
// testing_check_stream.cpp.
#include <plait/testing/stream_pair.hpp>

#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/testing/sim.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::as_result;
using plait::io::io_error;
using plait::io::shutdown_direction;
using plait::testing::manual_scheduler;
using plait::testing::memory_stream;
using plait::testing::stream_pair;
using plait::testing::stream_pair_options;

namespace {

std::string text_of(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

task<> send(memory_stream& to, std::string const& text) {
  co_await to.write_all(text);
  to.shutdown(shutdown_direction::write);
}

// How many bytes each read gives, to the end.
task<std::vector<std::size_t>> sizes_of_reads(memory_stream& from, std::string& text) {
  std::array<char, 64> buffer;
  std::vector<std::size_t> sizes;
  for (;;) {
    std::size_t const n = co_await from.read_some(buffer);
    if (n == 0) co_return sizes;
    sizes.push_back(n);
    text.append(buffer.data(), n);
  }
}

struct transferred {
  std::vector<std::size_t> reads;
  std::string text;
};

task<transferred> transfer(stream_pair_options options, std::string text) {
  auto [a, b] = stream_pair(options);
  transferred got;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(send, std::ref(a), std::cref(text));
    got.reads = co_await sizes_of_reads(b, got.text);
    co_await g.join();
  };
  co_await plait::with_task_group(std::ref(body));
  co_return got;
}

transferred transfer_on_manual(stream_pair_options options, std::size_t bytes) {
  manual_scheduler m;
  transferred const got = m.run(transfer, options, text_of(bytes));
  CHECK(got.text == text_of(bytes));
  CHECK(m.sched().timers().armed() == 0);
  return got;
}

task<std::error_code> error_of_read(memory_stream& s, std::string& got) {
  std::array<char, 64> buffer;
  for (;;) {
    auto const n = co_await as_result(s.read_some(buffer));
    if (!n) co_return n.error().code;
    if (*n == 0) co_return std::error_code();
    got.append(buffer.data(), *n);
  }
}

}  // namespace

TEST_CASE("stream_pair: bytes arrive in order, however small the capacity and the chunks are") {
  for (std::size_t const capacity : {1u, 7u, 100u, 65536u}) {
    for (std::size_t const chunk : {1u, 3u, 1000u}) {
      transfer_on_manual({.max_chunk = chunk, .capacity = capacity}, 1000);
    }
  }
}

TEST_CASE("stream_pair: max_chunk bounds what a read and a write move") {
  transferred const got = transfer_on_manual({.max_chunk = 3}, 10);
  CHECK(got.reads == std::vector<std::size_t>{3, 3, 3, 1});
  manual_scheduler m;
  std::size_t const written = m.run([]() -> task<std::size_t> {
    auto [a, b] = stream_pair({.max_chunk = 3});
    co_return co_await a.write_some("12345");
  });
  CHECK(written == 3);
}

TEST_CASE("stream_pair: a seed splits reads, the same one in the same way") {
  auto const once = transfer_on_manual({.split_seed = 1}, 1000).reads;
  auto const again = transfer_on_manual({.split_seed = 1}, 1000).reads;
  auto const other = transfer_on_manual({.split_seed = 2}, 1000).reads;
  CHECK(once == again);
  CHECK(once != other);
  CHECK(once.size() > 1000 / 64 + 1);
}

TEST_CASE("stream_pair: a writer waits while the capacity is used up") {
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto [a, b] = stream_pair({.capacity = 4});
    bool written = false;
    auto const write = [&]() -> task<> {
      co_await a.write_all("123456");
      written = true;
    };
    auto const body = [&](task_group& g) -> task<> {
      g.spawn(write);
      co_await plait::test::turns(3);
      CHECK_FALSE(written);
      std::array<char, 3> three;
      co_await b.read_exactly(three);
      co_await plait::test::turns(1);
      CHECK(written);
    };
    co_await plait::with_task_group(std::ref(body));
  });
}

TEST_CASE("stream_pair: bytes and the end are under way for the latency, on the driver's clock") {
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto [a, b] = stream_pair({.latency = 5ms});
    plait::time_point const begin = plait::clock::now();
    std::array<char, 8> buffer;
    co_await a.write_all("one");
    co_await plait::sleep_for(2ms);
    co_await a.write_all("two");
    a.shutdown(shutdown_direction::write);
    std::size_t const one = co_await b.read_some(buffer);
    CHECK(one == 3);
    CHECK(plait::clock::now() - begin == 5ms);
    std::size_t const two = co_await b.read_some(buffer);
    CHECK(two == 3);
    std::size_t const end = co_await b.read_some(buffer);
    CHECK(end == 0);
    CHECK(plait::clock::now() - begin == 7ms);
    auto const none = co_await as_result(plait::with_timeout(1ms, a.read_some(buffer)));
    CHECK(none.error().code == std::errc::timed_out);
  });
  CHECK(m.sched().timers().armed() == 0);
}

TEST_CASE("stream_pair: the connection is lost after so many bytes, and those arrive") {
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto [a, b] = stream_pair({.lose_after = 5});
    std::string got;
    auto const body = [&](task_group& g) -> task<> {
      auto const reading = g.spawn(error_of_read, std::ref(b), std::ref(got));
      auto const back = g.spawn(error_of_read, std::ref(a), std::ref(got));
      auto const written = co_await as_result(a.write_all("1234567"));
      CHECK(written.error().code == std::errc::connection_reset);
      CHECK(written.error().transferred == 5);
      std::error_code const there = co_await reading;
      CHECK(there == std::errc::connection_reset);
      std::error_code const here = co_await back;
      CHECK(here == std::errc::connection_reset);
      auto const later = co_await as_result(b.write_some("x"));
      CHECK(later.error().code == std::errc::connection_reset);
    };
    co_await plait::with_task_group(std::ref(body));
    CHECK(got == "12345");
  });
}

TEST_CASE("stream_pair: abort gives the peer a reset, close an end, and a write then a broken pipe") {
  manual_scheduler m;
  m.run([&]() -> task<> {
    std::string got;
    auto [a, b] = stream_pair();
    co_await a.write_all("last words");
    a.abort();
    CHECK_FALSE(a.is_open());
    std::error_code const aborted = co_await error_of_read(b, got);
    CHECK(aborted == std::errc::connection_reset);
    CHECK(got == "last words");
    auto [c, d] = stream_pair();
    co_await c.write_all("!");
    co_await c.close();
    std::error_code const closed = co_await error_of_read(d, got);
    CHECK_FALSE(closed);
    CHECK(got == "last words!");
    auto const written = co_await as_result(d.write_some("x"));
    CHECK(written.error().code == std::errc::broken_pipe);
  });
}

TEST_CASE("stream_pair: a stream that is closed, moved away or empty is a bad descriptor") {
  manual_scheduler m;
  m.run([&]() -> task<> {
    std::array<char, 1> byte;
    memory_stream none;
    auto const read = co_await as_result(none.read_some(byte));
    CHECK(read.error().code == std::errc::bad_file_descriptor);
    CHECK_THROWS_AS(none.shutdown(shutdown_direction::write), io_error);
    auto [a, b] = stream_pair();
    auto late = b.read_some(byte);
    b = std::move(a);
    auto const after = co_await as_result(std::move(late));
    CHECK(after.error().code == std::errc::bad_file_descriptor);
    auto const moved = co_await as_result(a.write_some("x"));
    CHECK(moved.error().code == std::errc::bad_file_descriptor);
  });
}

TEST_CASE("stream_pair: it needs no scheduler to be made and to be destroyed") {
  auto pair = stream_pair({.latency = 5ms});
  manual_scheduler m;
  m.run([&]() -> task<> { co_await pair.first.write_all("under way"); });
  pair.first = memory_stream();
  CHECK(pair.second.is_open());
  CHECK(m.sched().timers().armed() == 0);
}

TEST_CASE("stream_pair: in a simulated run too, and a reader that nobody answers is stuck") {
  plait::testing::for_each_seed(20, []() -> task<> {
    auto const got = co_await transfer({.split_seed = 7, .capacity = 50, .latency = 1ms}, text_of(500));
    if (got.text != text_of(500)) throw std::runtime_error("the bytes differ");
  });
  auto const waits = []() -> task<> {
    auto [a, b] = stream_pair();
    std::array<char, 1> byte;
    co_await b.read_some(byte);
  };
  CHECK_THROWS_AS(plait::testing::run_sim(waits), plait::testing::sim_stuck);
}

IO_TEST("stream_pair: bytes and ends arrive on a kernel driver") {
  transferred const got =
      io.run([] { return transfer({.max_chunk = 10, .capacity = 30, .latency = 1us}, text_of(300)); });
  CHECK(got.text == text_of(300));
}
