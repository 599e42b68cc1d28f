#include <plait/io/error.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/tcp.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>
#include <plait/when.hpp>

#include <cerrno>
#include <optional>
#include <string>
#include <tuple>

using namespace std::chrono_literals;
using plait::task;
using plait::with_timeout;
using plait::io::as_result;
using plait::io::errc;
using plait::io::io_error;
using plait::io::io_failure;
using plait::test::connected;
using plait::test::connection;
using plait::test::turns;

TEST_CASE("io_error: says what was attempted, on what, how far it came, and why it failed") {
  io_failure const plain{std::make_error_code(std::errc::connection_reset), 0, "read"};
  CHECK(plain.message() == "read: Connection reset by peer");
  io_failure const half{std::make_error_code(std::errc::broken_pipe), 4711, "write"};
  CHECK(half.message() == "write (after 4711 bytes): Broken pipe");
  io_error const e(half, "to 127.0.0.1:80");
  CHECK(std::string(e.what()) == "write to 127.0.0.1:80 (after 4711 bytes): Broken pipe");
  CHECK(e.transferred() == 4711);
  CHECK(e.code() == std::errc::broken_pipe);
}

TEST_CASE("io_error: plait's own codes have a category, a text and a place in std::error_code") {
  std::error_code const code = errc::end_of_file;
  CHECK(std::string(code.category().name()) == "plait::io");
  for (errc const e : {errc::end_of_file, errc::closed, errc::busy, errc::invalid_address}) {
    CHECK(make_error_code(e).message().size() > 10);
    CHECK(make_error_code(e).message() != "unknown plait::io error");
  }
  CHECK(std::error_code(99, plait::io::error_category()).message() == "unknown plait::io error");
  CHECK_FALSE(make_error_code(errc::closed) == make_error_code(errc::busy));
}

IO_TEST("as_result: gives the value or the failure; what is cancelled is thrown") {
  io.run([&]() -> task<> {
    connection c = connected();
    char into[4];
    c.other.send("ab");
    auto const value = co_await as_result(c.stream.read_some(into));
    CHECK(value == std::size_t{2});
    c.other.close();
    auto const failure = co_await as_result(c.stream.read_exactly(into));
    CHECK(failure.error().code == errc::end_of_file);

    connection quiet = connected();
    bool went_on = false;
    for (int const before : {0, 2}) {
      bool const ended = co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
        co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
          g.spawn([&]() -> task<> {
            if (before == 0) s.cancel();
            auto const got = co_await as_result(quiet.stream.read_some(into));
            went_on = got.has_value() || !got.has_value();
          });
          co_await turns(before);
          s.cancel();
          co_await g.join();
        });
      });
      CHECK_FALSE(ended);
    }
    CHECK_FALSE(went_on);
  });
}

IO_TEST("as_result and with_timeout nest in either order") {
  io.run([&]() -> task<> {
    connection c = connected();
    char into[4];
    auto const late = co_await as_result(with_timeout(1ms, c.stream.read_some(into)));
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == std::errc::timed_out);
    CHECK_THROWS_AS(co_await with_timeout(1ms, as_result(c.stream.read_some(into))), plait::timed_out);
    CHECK_THROWS_AS(co_await with_timeout(1ms, c.stream.read_some(into)), plait::timed_out);
    CHECK_THROWS_AS(co_await with_timeout(10s, with_timeout(1ms, c.stream.read_some(into))),
                    plait::timed_out);

    c.other.send("abcdef");
    auto const first = co_await as_result(with_timeout(10s, c.stream.read_exactly(into)));
    CHECK(first == std::size_t{4});
    auto const second = co_await with_timeout(10s, as_result(c.stream.read_some(into)));
    CHECK(second == std::size_t{2});

    c.other.close();
    auto const end = co_await as_result(with_timeout(10s, c.stream.read_exactly(into)));
    CHECK(end.error().code == errc::end_of_file);
    auto const same = co_await with_timeout(10s, as_result(c.stream.read_exactly(into)));
    CHECK(same.error().code == errc::end_of_file);
    CHECK_THROWS_AS(co_await with_timeout(10s, c.stream.read_exactly(into)), io_error);
  });
}

IO_TEST("with_timeout: data that is there beats a deadline that has passed, or stays for the next read") {
  io.run([&]() -> task<> {
    connection c = connected();
    int delivered = 0;
    for (int round = 0; round < 50; ++round) {
      char into[1] = {};
      c.other.send(std::string(1, static_cast<char>('a' + round % 26)));
      auto const got = co_await as_result(with_timeout(round % 2 * 100us, c.stream.read_some(into)));
      if (got) ++delivered;
      if (!got) co_await c.stream.read_exactly(into);
      CHECK(into[0] == 'a' + round % 26);
    }
    INFO("delivered " << delivered);
  });
}

IO_TEST("with_timeout: a read_exactly that is cut short says that it timed out") {
  io.run([&]() -> task<> {
    connection c = connected();
    char into[10];
    c.other.send("abc");
    auto const got = co_await as_result(with_timeout(5ms, c.stream.read_exactly(into)));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == std::errc::timed_out);
    c.other.send("rest");
    CHECK(co_await c.stream.read_some(into) == 4);
  });
}

IO_TEST("when_any: what the loser has read is there, and what it has not read is left") {
  io.run([&]() -> task<> {
    connection a = connected();
    connection b = connected();
    char into_a[4];
    char into_b[4];
    for (int round = 0; round < 20; ++round) {
      a.other.send("a");
      if (round % 2 == 0) b.other.send("b");
      auto got = co_await plait::when_any(a.stream.read_some(into_a), b.stream.read_some(into_b));
      CHECK((std::get<0>(got.values) || std::get<1>(got.values)));
      if (!std::get<0>(got.values)) {
        CHECK(co_await a.stream.read_some(into_a) == 1);
      }
      if (round % 2 == 0 && !std::get<1>(got.values)) {
        CHECK(co_await b.stream.read_some(into_b) == 1);
      }
      CHECK((round % 2 == 0 || !std::get<1>(got.values)));
    }
    a.other.send("end");
    CHECK(co_await a.stream.read_some(into_a) == 3);
  });
}

IO_TEST("when_all: reads and writes of several streams at once") {
  io.run([&]() -> task<> {
    connection a = connected();
    connection b = connected();
    char into_a[4];
    char into_b[4];
    a.other.send("abc");
    b.other.send("de");
    auto const [from_a, from_b, to_a] = co_await plait::when_all(
        a.stream.read_some(into_a), b.stream.read_some(into_b), a.stream.write_all("answer"));
    CHECK(from_a == 3);
    CHECK(from_b == 2);
    CHECK(to_a == 6);
    CHECK(a.other.receive(6) == "answer");
  });
}
