#include <plait/testing/script.hpp>

#include "support/io_test.hpp"

#include <plait/io/tcp.hpp>
#include <plait/io/unix.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/testing/sim.hpp>
#include <plait/testing/stream_pair.hpp>

#include <catch2/catch.hpp>

#include <chrono>
#include <functional>
#include <string>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::as_result;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::testing::manual_scheduler;
using plait::testing::memory_stream;
using plait::testing::script;
using plait::testing::script_failed;
using plait::testing::stream_pair;

namespace {

// Writes `text`, ends the writing and gives what is read to the end.
template <class Stream>
task<std::string> say(Stream& stream, std::string text) {
  co_await stream.write_all(text);
  stream.shutdown(plait::io::shutdown_direction::write);
  std::string got;
  for (;;) {
    char buffer[16];
    std::size_t const n = co_await stream.read_some(buffer);
    if (n == 0) co_return got;
    got.append(buffer, n);
  }
}

template <class Stream>
task<std::string> talk(script const& peer, Stream& there, Stream& here, std::string text) {
  std::string got;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(peer, std::ref(there));
    got = co_await say(here, text);
    co_await g.join();
  };
  co_await plait::with_task_group(std::ref(body));
  co_return got;
}

task<std::string> talk_in_memory(script const& peer, std::string text) {
  auto [there, here] = stream_pair({.split_seed = 4});
  std::string const got = co_await talk(peer, there, here, text);
  co_return got;
}

task<std::string> talk_over_tcp(script const& peer, std::string text) {
  tcp_listener listener = tcp_listener::listen(address::loopback(0));
  tcp_stream here = co_await tcp_stream::connect(listener.local_address());
  tcp_stream there = co_await listener.accept();
  std::string const got = co_await talk(peer, there, here, text);
  co_return got;
}

std::string why_it_fails(script const& peer, std::string text) {
  manual_scheduler m;
  try {
    m.run([&] { return talk_in_memory(peer, text); });
  } catch (script_failed const& e) {
    return e.what();
  }
  return "";
}

script const a_server = script()
                            .expect("GET /")
                            .expect_until("\r\n\r\n")
                            .reply("200 ")
                            .wait(5ms)
                            .reply("hello")
                            .expect_eof()
                            .then_eof();
char const* const a_request = "GET /index\r\nHost: x\r\n\r\n";

}  // namespace

TEST_CASE("script: it hears, waits, answers and ends") {
  manual_scheduler m;
  plait::time_point const begin = m.io().now();
  CHECK(m.run([] { return talk_in_memory(a_server, a_request); }) == "200 hello");
  CHECK(m.io().now() - begin == 5ms);
}

TEST_CASE("script: it shows what it expected and what came, and in which step") {
  CHECK(why_it_fails(script().expect("ping").reply("x").expect("pong\n").then_eof(), "pingpang\n") ==
        "step 3 of the script, expect: \"pong\\n\" was expected, and \"pang\\n\" came");
  CHECK(why_it_fails(script().expect("pi").expect("\x01\"\\\xff"), "ping").find(
            "\"\\x01\\\"\\\\\\xff\" was expected") != std::string::npos);
  CHECK(why_it_fails(script().expect("ping"), "pi") ==
        "step 1 of the script, expect: \"ping\" was expected, and the stream ended after \"pi\"");
  CHECK(why_it_fails(script().expect_until("\n"), "") ==
        "step 1 of the script, expect_until: \"\\n\" was expected, and the stream ended after nothing");
  CHECK(why_it_fails(script().expect("p").expect_eof(), "pi") ==
        "step 2 of the script, expect_eof: the end was expected, and \"i\" came");
  CHECK(why_it_fails(script().expect("p").then_eof().reply("late"), "p").find(
            "step 3 of the script, reply: write: ") == 0);
}

TEST_CASE("script: a reset reaches the peer, and a stream that has none says so") {
  manual_scheduler m;
  m.run([]() -> task<> {
    auto [there, here] = stream_pair();
    script const peer = script().reply("some").then_reset();
    co_await peer.play(there);
    std::string buffer(8, '\0');
    auto const got = co_await as_result(here.read_exactly(buffer));
    CHECK(got.error().code == std::errc::connection_reset);
    CHECK(got.error().transferred == 4);
  });
  plait::test::io_fixture io(plait::driver_kind::epoll);
  CHECK_THROWS_AS(io.run([]() -> task<> {
    auto [there, here] = plait::io::unix_stream::pair();
    script const peer = script().then_reset();
    co_await peer.play(there);
  }),
                  script_failed);
}

TEST_CASE("script: a stream can be given away, and ends with the script") {
  manual_scheduler m;
  std::string got;
  m.run([&]() -> task<> {
    auto [there, here] = stream_pair();
    auto const body = [&](task_group& g) -> task<> {
      g.spawn(script().expect("hi").reply("bye"), std::move(there));
      got = co_await say(here, "hi");
      co_await g.join();
    };
    co_await plait::with_task_group(std::ref(body));
  });
  CHECK(got == "bye");
}

TEST_CASE("script: it plays over TCP in simulation, whatever the seed") {
  CHECK_NOTHROW(plait::testing::for_each_seed(50, []() -> task<> {
    std::string const got = co_await talk_over_tcp(a_server, a_request);
    if (got != "200 hello") throw std::runtime_error(got);
  }));
}

IO_TEST("script: it plays over a socket") {
  CHECK(io.run([] { return talk_over_tcp(a_server, a_request); }) == "200 hello");
}
