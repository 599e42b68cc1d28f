#include <plait/io/descriptor.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/tcp.hpp>
#include <plait/task_group.hpp>

#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

using plait::task;
using plait::task_group;
using plait::io::as_result;
using plait::io::descriptor;
using plait::io::errc;
using plait::test::connected;
using plait::test::connection;
using plait::test::patterned;
using plait::test::turns;

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
int any_file() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

task<std::error_code> code_of_read(plait::io::tcp_stream& s) {
  char into[8];
  auto const got = co_await as_result(s.read_some(into));
  co_return got ? std::error_code() : got.error().code;
}

}  // namespace

TEST_CASE("descriptor: owns its number, and closes it without a scheduler, too") {
  int const fd = any_file();
  {
    descriptor a(fd);
    descriptor b(std::move(a));
    CHECK_FALSE(a);
    CHECK(b.get() == fd);
    descriptor c(any_file());
    int const other = c.get();
    c = std::move(b);
    CHECK(c.get() == fd);
    CHECK_FALSE(is_open(other));
    CHECK(is_open(fd));
  }
  CHECK_FALSE(is_open(fd));
}

TEST_CASE("descriptor: what is released is the caller's") {
  descriptor a(any_file());
  int const fd = a.release();
  CHECK_FALSE(a);
  CHECK(a.release() == -1);
  CHECK(is_open(fd));
  ::close(fd);
}

IO_TEST("descriptor: close ends a reader and a writer with closed, then the peer sees the end") {
  io.run([&]() -> task<> {
    connection c = connected(4096, 4096);
    std::string const large = patterned(4 << 20);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reading = g.spawn([&]() { return code_of_read(c.stream); });
      auto const writing = g.spawn([&]() -> task<plait::io::io_failure> {
        auto const got = co_await as_result(c.stream.write_all(large));
        co_return got.error();
      });
      co_await turns(3);
      co_await c.stream.close();
      CHECK_FALSE(c.stream.is_open());
      CHECK(co_await reading == errc::closed);
      auto const failure = co_await writing;
      CHECK(failure.code == errc::closed);
      CHECK(failure.transferred > 0);
      CHECK(failure.transferred < large.size());
      std::string const arrived = c.other.receive_all();
      CHECK((arrived == large.substr(0, arrived.size())));
      CHECK(arrived.size() == failure.transferred);
    });
  });
}

IO_TEST("descriptor: a reader that begins while close waits gets closed as well") {
  io.run([&]() -> task<> {
    connection c = connected(4096, 4096);
    std::string const large = patterned(4 << 20);
    int closed = 0;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        while (c.stream.is_open()) {
          auto const code = co_await code_of_read(c.stream);
          if (code == errc::closed) ++closed;
        }
      });
      g.spawn([&]() -> task<> {
        auto const got = co_await as_result(c.stream.write_all(large));
        if (!got && got.error().code == errc::closed) ++closed;
      });
      co_await turns(3);
      g.spawn([&]() -> task<> { co_await c.stream.close(); });
      co_await g.join();
    });
    CHECK(closed >= 2);
  });
}

IO_TEST("descriptor: two tasks may close one stream") {
  io.run([&]() -> task<> {
    connection c = connected();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reading = g.spawn([&]() { return code_of_read(c.stream); });
      co_await turns(2);
      for (int i = 0; i < 3; ++i) g.spawn([&]() -> task<> { co_await c.stream.close(); });
      co_await g.join();
      CHECK(co_await reading == errc::closed);
    });
    CHECK(c.other.receive_all().empty());
  });
}

IO_TEST("descriptor: close in a cancelled scope closes all the same") {
  io.run([&]() -> task<> {
    connection c = connected();
    co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      s.cancel();
      co_await c.stream.close();
    });
    CHECK_FALSE(c.stream.is_open());
    CHECK(c.other.receive_all().empty());
  });
}

IO_TEST("descriptor: a reader that is cancelled while the stream is closed is cancelled or closed") {
  io.run([&]() -> task<> {
    connection c = connected();
    plait::cancel_scope* scope = nullptr;
    std::string outcome = "cancelled";
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
          scope = &s;
          auto const code = co_await code_of_read(c.stream);
          outcome = code.message();
        });
      });
      co_await turns(2);
      g.spawn([&]() -> task<> { co_await c.stream.close(); });
      co_await plait::yield();
      scope->cancel();
      co_await g.join();
    });
    CHECK((outcome == "cancelled" || outcome == make_error_code(errc::closed).message()));
    CHECK_FALSE(c.stream.is_open());
  });
}

IO_TEST("descriptor: a number that is closed and used again is a new stream") {
  io.run([&]() -> task<> {
    int reused = 0;
    int previous = -1;
    for (int round = 0; round < 50; ++round) {
      connection c = connected();
      if (c.stream.fd() == previous) ++reused;
      previous = c.stream.fd();
      std::string const sent = std::to_string(round);
      c.other.send(sent + "left unread");
      std::string into(sent.size(), '\0');
      co_await c.stream.read_exactly(into);
      CHECK(into == sent);
      co_await c.stream.close();
    }
    CHECK(reused > 0);
  });
}
