#include <plait/io/tcp.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/io/error.hpp>
#include <plait/task_group.hpp>
#include <plait/when.hpp>

#include <cerrno>
#include <csignal>
#include <string>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

using plait::task;
using plait::task_group;
using plait::io::as_result;
using plait::io::errc;
using plait::io::io_error;
using plait::test::connected;
using plait::test::connection;
using plait::test::patterned;
using plait::test::turns;

IO_TEST("tcp: read_some gives what is there, up to the buffer") {
  io.run([&]() -> task<> {
    connection c = connected();
    char into[4];
    c.other.send("hello");
    CHECK(co_await c.stream.read_some(into) == 4);
    CHECK(std::string(into, 4) == "hell");
    CHECK(co_await c.stream.read_some(into) == 1);
    CHECK(into[0] == 'o');
  });
}

IO_TEST("tcp: read_some waits for the first byte") {
  io.run([&]() -> task<> {
    connection c = connected();
    bool done = false;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reader = g.spawn([&]() -> task<std::size_t> {
        char into[8];
        std::size_t const n = co_await c.stream.read_some(into);
        done = true;
        co_return n;
      });
      co_await turns(3);
      CHECK_FALSE(done);
      c.other.send("abc");
      CHECK(co_await reader == 3);
    });
  });
}

IO_TEST("tcp: read after the peer closes returns what is left, then 0, again and again") {
  io.run([&]() -> task<> {
    connection c = connected();
    char into[8];
    c.other.send("bye");
    c.other.close();
    CHECK(co_await c.stream.read_some(into) == 3);
    CHECK(co_await c.stream.read_some(into) == 0);
    CHECK(co_await c.stream.read_some(into) == 0);
  });
}

IO_TEST("tcp: an end of stream ends a read that waits") {
  io.run([&]() -> task<> {
    connection c = connected();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reader = g.spawn([&]() -> task<std::size_t> {
        char into[8];
        co_return co_await c.stream.read_some(into);
      });
      co_await turns(2);
      c.other.half_close();
      CHECK(co_await reader == 0);
    });
  });
}

IO_TEST("tcp: a zero-length buffer is neither an end of stream nor a wait") {
  io.run([&]() -> task<> {
    connection c = connected();
    char none[1];
    plait::io::mutable_buffer const empty(none, 0);
    CHECK(co_await c.stream.read_some(empty) == 0);
    CHECK(co_await c.stream.read_exactly(empty) == 0);
    CHECK(co_await c.stream.write_some("") == 0);
    CHECK(co_await c.stream.write_all("") == 0);
    auto const as_value = co_await as_result(c.stream.read_some(empty));
    CHECK(as_value == std::size_t{0});
    c.other.send("x");
    CHECK(co_await c.stream.read_some(empty) == 0);
    char into[2];
    CHECK(co_await c.stream.read_some(into) == 1);
  });
}

IO_TEST("tcp: read_exactly collects a message that comes in pieces") {
  io.run([&]() -> task<> {
    connection c = connected();
    std::string into(10, '\0');
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reader =
          g.spawn([&]() -> task<std::size_t> { co_return co_await c.stream.read_exactly(into); });
      for (char const* const piece : {"0", "12", "345", "6789", "tail"}) {
        co_await turns(2);
        c.other.send(piece);
      }
      CHECK(co_await reader == 10);
    });
    CHECK(into == "0123456789");
    char rest[8];
    CHECK(co_await c.stream.read_some(rest) == 4);
  });
}

IO_TEST("tcp: read_exactly at the end of the stream says how much had come") {
  io.run([&]() -> task<> {
    connection c = connected();
    c.other.send("abc");
    c.other.close();
    char into[10];
    try {
      co_await c.stream.read_exactly(into);
      FAIL("no exception");
    } catch (io_error const& e) {
      CHECK(e.code() == errc::end_of_file);
      CHECK(e.transferred() == 3);
      CHECK(std::string(e.what()) ==
            "read (after 3 bytes): the stream ended before all that was asked for had come");
    }
    auto const again = co_await as_result(c.stream.read_exactly(into));
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().code == errc::end_of_file);
    CHECK(again.error().transferred == 0);
  });
}

IO_TEST("tcp: a reset in mid-message is an error that says how much had come") {
  io.run([&]() -> task<> {
    connection c = connected();
    char into[10];
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reader = g.spawn([&]() -> task<plait::io::result<std::size_t>> {
        co_return co_await as_result(c.stream.read_exactly(into));
      });
      c.other.send("abc");
      co_await turns(4);  // read, before the reset drops what nobody has read
      c.other.reset();
      auto const got = co_await reader;
      REQUIRE_FALSE(got.has_value());
      CHECK(got.error().code == std::errc::connection_reset);
      CHECK(got.error().transferred == 3);
    });
  });
}

IO_TEST("tcp: writing to a peer that is gone is an error and no signal") {
  std::signal(SIGPIPE, SIG_DFL);
  io.run([&]() -> task<> {
    connection c = connected();
    c.other.reset();
    auto const first = co_await as_result(c.stream.write_some("x"));
    REQUIRE_FALSE(first.has_value());
    CHECK(first.error().code == std::errc::connection_reset);
    auto const second = co_await as_result(c.stream.write_all("x"));
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == std::errc::broken_pipe);
    CHECK(second.error().transferred == 0);
  });
}

IO_TEST("tcp: write_all that the peer resets says how much was taken") {
  io.run([&]() -> task<> {
    connection c = connected(4096, 4096);
    std::string const large = patterned(4 << 20);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const writer = g.spawn([&]() -> task<plait::io::result<std::size_t>> {
        co_return co_await as_result(c.stream.write_all(large));
      });
      co_await turns(3);
      CHECK(c.other.receive(1000) == large.substr(0, 1000));
      co_await turns(3);
      c.other.reset();
      auto const got = co_await writer;
      REQUIRE_FALSE(got.has_value());
      CHECK((got.error().code == std::errc::connection_reset ||
             got.error().code == std::errc::broken_pipe));
      CHECK(got.error().transferred >= 1000);
      CHECK(got.error().transferred < large.size());
    });
  });
}

IO_TEST("tcp: half-close: the peer reads the end, and its answer still comes") {
  io.run([&]() -> task<> {
    connection c = connected();
    co_await c.stream.write_all("question");
    c.stream.shutdown(plait::io::shutdown_direction::write);
    CHECK(c.other.receive_all() == "question");
    c.other.send("answer");
    c.other.close();
    std::string into(20, '\0');
    CHECK(co_await c.stream.read_some(into) == 6);
    CHECK(co_await c.stream.read_some(into) == 0);
    auto const late = co_await as_result(c.stream.write_some("x"));
    CHECK(late.error().code == std::errc::broken_pipe);
  });
}

IO_TEST("tcp: shutdown for reading ends the reader that waits") {
  io.run([&]() -> task<> {
    connection c = connected();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reader = g.spawn([&]() -> task<std::size_t> {
        char into[8];
        co_return co_await c.stream.read_some(into);
      });
      co_await turns(2);
      c.stream.shutdown(plait::io::shutdown_direction::read);
      CHECK(co_await reader == 0);
    });
  });
}

IO_TEST("tcp: a second reader gets busy, and the first one gets the data") {
  io.run([&]() -> task<> {
    connection c = connected();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const first = g.spawn([&]() -> task<std::size_t> {
        char into[8];
        co_return co_await c.stream.read_some(into);
      });
      co_await turns(1);
      char into[8];
      auto const second = co_await as_result(c.stream.read_some(into));
      REQUIRE_FALSE(second.has_value());
      CHECK(second.error().code == errc::busy);
      CHECK(co_await c.stream.write_some("other direction") == 15);
      c.other.send("abc");
      CHECK(co_await first == 3);
    });
    c.other.send("d");
    char into[8];
    CHECK(co_await c.stream.read_some(into) == 1);
  });
}

IO_TEST("tcp: a megabyte passes small buffers in both directions at once") {
  io.run([&]() -> task<> {
    connection c = connected(4096, 4096);
    std::string const there = patterned(1 << 20, 1);
    std::string const back = patterned(1 << 20, 2);
    plait::io::tcp_stream other(plait::io::descriptor(c.other.release()));
    std::string got_there(there.size(), '\0');
    std::string got_back(back.size(), '\0');
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await c.stream.write_all(there); });
      g.spawn([&]() -> task<> { co_await other.read_exactly(got_there); });
      g.spawn([&]() -> task<> { co_await other.write_all(back); });
      g.spawn([&]() -> task<> { co_await c.stream.read_exactly(got_back); });
      co_await g.join();
    });
    CHECK((got_there == there));
    CHECK((got_back == back));
  });
}

IO_TEST("tcp: what write_some takes in pieces is what read_some gives, however it is split") {
  io.run([&]() -> task<> {
    connection c = connected(4096, 4096);
    plait::io::tcp_stream other(plait::io::descriptor(c.other.release()));
    std::string const sent = patterned(200'000);
    std::string got;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        std::size_t step = 1;
        for (std::size_t at = 0; at < sent.size();) {
          std::string_view const piece = std::string_view(sent).substr(at, step);
          at += co_await c.stream.write_some(piece);
          step = step * 7 % 10'007;
        }
        c.stream.shutdown(plait::io::shutdown_direction::write);
      });
      std::size_t step = 1;
      for (;;) {
        std::string into(step, '\0');
        std::size_t const n = co_await other.read_some(into);
        if (n == 0) break;
        got.append(into, 0, n);
        step = step * 11 % 5'003;
      }
      co_await g.join();
    });
    CHECK((got == sent));
  });
}

IO_TEST("tcp: bytes behind an urgent one are not forgotten") {
  io.run([&]() -> task<> {
    connection c = connected();
    std::string got;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reader = g.spawn([&]() -> task<> {
        while (got.size() < 6) {
          char into[64];
          std::size_t const n = co_await c.stream.read_some(into);
          got.append(into, n);
        }
      });
      co_await turns(2);
      c.other.send("abc");
      c.other.send("!", MSG_OOB);
      c.other.send("def");
      co_await reader;
    });
    CHECK(got == "abcdef");
  });
}

IO_TEST("tcp: a non-blocking descriptor that is adopted waits like any other") {
  io.run([&]() -> task<> {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    plait::io::tcp_stream a((plait::io::descriptor(ends[0])));
    plait::io::tcp_stream b((plait::io::descriptor(ends[1])));
    std::string const sent = patterned(1 << 20);
    std::string got(sent.size(), '\0');
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await b.read_exactly(got); });
      co_await turns(3);
      g.spawn([&]() -> task<> { co_await a.write_all(sent); });
      co_await g.join();
    });
    CHECK((got == sent));
  });
}

IO_TEST("tcp: abort gives the peer a reset, close an end of stream") {
  io.run([&]() -> task<> {
    connection aborted = connected();
    co_await aborted.stream.write_all("last words");
    CHECK(aborted.other.receive(10) == "last words");
    aborted.stream.abort();
    CHECK_FALSE(aborted.stream.is_open());
    CHECK(aborted.other.receive_all() == "reset");

    connection closed = connected();
    co_await closed.stream.write_all("last words");
    co_await closed.stream.close();
    CHECK_FALSE(closed.stream.is_open());
    CHECK(closed.other.receive_all() == "last words");
  });
}

IO_TEST("tcp: a closed or empty stream answers with errors") {
  io.run([&]() -> task<> {
    plait::io::tcp_stream none;
    char into[4];
    auto const read = co_await as_result(none.read_some(into));
    CHECK(read.error().code == std::errc::bad_file_descriptor);
    auto const written = co_await as_result(none.write_all("x"));
    CHECK(written.error().code == std::errc::bad_file_descriptor);
    CHECK_THROWS_AS(none.shutdown(plait::io::shutdown_direction::both), io_error);
    CHECK_THROWS_AS(none.local_address(), io_error);
    CHECK_THROWS_AS(none.set_options({}), io_error);
    none.abort();
    co_await none.close();
  });
}

namespace {

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(fd, level, name, &value, &size);
  return value;
}

}  // namespace

IO_TEST("tcp: options reach the socket, and both ends know their addresses") {
  io.run([&]() -> task<> {
    auto listener = plait::io::tcp_listener::listen(plait::io::address::loopback(0));
    auto client = co_await plait::io::tcp_stream::connect(
        listener.local_address(), {.no_delay = true, .keep_alive = true, .send_buffer_bytes = 20'000});
    auto server = co_await listener.accept();
    CHECK(option(client.fd(), IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(option(client.fd(), SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(client.fd(), SOL_SOCKET, SO_SNDBUF) == 40'000);  // the kernel doubles it
    CHECK(option(server.fd(), IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(option(server.fd(), SOL_SOCKET, SO_KEEPALIVE) == 0);
    server.set_options({.no_delay = false, .receive_buffer_bytes = 10'000});
    CHECK(option(server.fd(), IPPROTO_TCP, TCP_NODELAY) == 0);
    CHECK(option(server.fd(), SOL_SOCKET, SO_RCVBUF) == 20'000);
    CHECK(client.local_address() == server.remote_address());
    CHECK(client.remote_address() == server.local_address());
    CHECK(client.remote_address() == listener.local_address());
  });
}
