#include <plait/io/wait.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/tcp.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <limits>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::wait_readable;
using plait::io::wait_writable;
using plait::test::connected;
using plait::test::connection;
using plait::test::peer;
using plait::test::turns;

namespace {

struct two_ends {
  peer read;
  peer write;
};

two_ends make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  return {peer(ends[0]), peer(ends[1])};
}

two_ends make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  return {peer(ends[0]), peer(ends[1])};
}

void put(peer const& p, char const* text) {
  std::string const bytes = text;
  REQUIRE(::write(p.fd(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

std::string take(peer const& p) {
  char into[64];
  auto const n = ::read(p.fd(), into, sizeof into);
  return n < 0 ? "error" : std::string(into, static_cast<std::size_t>(n));
}

// Fills the pipe or socket.
void stuff(peer const& p) {
  ::fcntl(p.fd(), F_SETFL, O_NONBLOCK);
  std::string const bytes(4096, 's');
  while (::write(p.fd(), bytes.data(), bytes.size()) > 0) {
  }
}

}  // namespace

IO_TEST("wait: a pipe is readable when something was written, and nothing is read") {
  io.run([&]() -> task<> {
    two_ends const p = make_pipe();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const waiting = g.spawn([&]() -> task<short> { co_return co_await wait_readable(p.read.fd()); });
      co_await turns(3);
      CHECK_FALSE(waiting.done());
      put(p.write, "abc");
      CHECK((co_await waiting & POLLIN) != 0);
    });
    CHECK((co_await wait_readable(p.read.fd()) & POLLIN) != 0);  // still there
    CHECK(take(p.read) == "abc");
    CHECK((::fcntl(p.read.fd(), F_GETFL) & O_NONBLOCK) == 0);
  });
}

IO_TEST("wait: a full pipe is writable when something was read") {
  io.run([&]() -> task<> {
    two_ends const p = make_pipe();
    CHECK((co_await wait_writable(p.write.fd()) & POLLOUT) != 0);
    stuff(p.write);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const waiting = g.spawn([&]() -> task<short> { co_return co_await wait_writable(p.write.fd()); });
      co_await turns(3);
      CHECK_FALSE(waiting.done());
      char into[65536];
      CHECK(::read(p.read.fd(), into, sizeof into) > 0);
      CHECK((co_await waiting & POLLOUT) != 0);
    });
  });
}

IO_TEST("wait: several tasks wait for one descriptor, in both directions") {
  io.run([&]() -> task<> {
    two_ends const p = make_pair();
    stuff(p.read);
    int readable = 0;
    int writable = 0;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 3; ++i) {
        g.spawn([&]() -> task<> {
          short const events = co_await wait_readable(p.read.fd());
          if ((events & POLLIN) != 0) ++readable;
        });
        g.spawn([&]() -> task<> {
          short const events = co_await wait_writable(p.read.fd());
          if ((events & POLLOUT) != 0) ++writable;
        });
      }
      co_await turns(3);
      CHECK(readable + writable == 0);
      put(p.write, "x");
      while (readable < 3) co_await turns(1);
      CHECK(writable == 0);
      char into[65536];
      ::fcntl(p.write.fd(), F_SETFL, O_NONBLOCK);
      while (::read(p.write.fd(), into, sizeof into) > 0) {
      }
      co_await g.join();
    });
    CHECK(readable == 3);
    CHECK(writable == 3);
  });
}

IO_TEST("wait: a hang-up ends waits in both directions") {
  io.run([&]() -> task<> {
    two_ends p = make_pair();
    stuff(p.read);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reading = g.spawn([&]() -> task<short> { co_return co_await wait_readable(p.read.fd()); });
      auto const writing = g.spawn([&]() -> task<short> { co_return co_await wait_writable(p.read.fd()); });
      co_await turns(3);
      p.write.close();
      CHECK((co_await reading & POLLHUP) != 0);
      CHECK((co_await writing & (POLLHUP | POLLERR)) != 0);
    });
    two_ends q = make_pipe();
    q.write.close();
    CHECK((co_await wait_readable(q.read.fd()) & POLLHUP) != 0);
    two_ends r = make_pipe();
    r.read.close();
    CHECK((co_await wait_writable(r.write.fd()) & POLLERR) != 0);
  });
}

IO_TEST("wait: a regular file and the null device are ready at once") {
  io.run([&]() -> task<> {
    plait::test::temporary_folder const folder;
    plait::test::write_file(folder / "data", "abc");
    peer const regular(::open((folder / "data").c_str(), O_RDWR | O_CLOEXEC));
    peer const null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (int const fd : {regular.fd(), null.fd()}) {
      CHECK((co_await wait_readable(fd) & POLLIN) != 0);
      CHECK((co_await wait_writable(fd) & POLLOUT) != 0);
    }
  });
}

IO_TEST("wait: a number that is no descriptor is an error that names it") {
  io.run([&]() -> task<> {
    two_ends p = make_pipe();
    int const gone = p.read.fd();
    p.read.close();
    for (int const fd : {-1, gone, 1'000'000, std::numeric_limits<int>::max()}) {
      std::string text;
      try {
        co_await wait_readable(fd);
      } catch (std::system_error const& e) {
        CHECK(e.code() == std::errc::bad_file_descriptor);
        text = e.what();
      }
      CHECK(text.find("descriptor " + std::to_string(fd)) != std::string::npos);
    }
  });
}

IO_TEST("wait: the owner may close a descriptor between two waits and get its number again") {
  io.run([&]() -> task<> {
    int reused = 0;
    int previous = -1;
    for (int round = 0; round < 40; ++round) {
      two_ends const p = round % 2 == 0 ? make_pipe() : make_pair();
      if (p.read.fd() == previous) ++reused;
      previous = p.read.fd();
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        auto const waiting = g.spawn([&]() -> task<short> { co_return co_await wait_readable(p.read.fd()); });
        co_await turns(2);
        CHECK_FALSE(waiting.done());
        if (round % 3 == 0) {
          g.cancel();
        } else {
          put(p.write, "x");
          CHECK((co_await waiting & POLLIN) != 0);
        }
      });
    }
    CHECK(reused > 30);
  });
}

IO_TEST("wait: a duplicate that keeps the file open is no obstacle") {
  io.run([&]() -> task<> {
    two_ends first = make_pipe();
    int const number = first.read.fd();
    CHECK_FALSE(co_await plait::move_on_after(1ms, [&]() -> task<> { co_await wait_readable(number); }));
    peer const duplicate(::dup(number));
    put(first.write, "old");
    first.read.close();
    two_ends const second = make_pipe();
    CHECK(second.read.fd() == number);
    CHECK_FALSE(co_await plait::move_on_after(1ms, [&]() -> task<> { co_await wait_readable(number); }));
    put(second.write, "new");
    CHECK((co_await wait_readable(number) & POLLIN) != 0);
    CHECK(take(second.read) == "new");
  });
}

IO_TEST("wait: cancelling one waiter leaves the others") {
  io.run([&]() -> task<> {
    two_ends const p = make_pipe();
    int woken = 0;
    int cancelled = 0;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      plait::cancel_scope* scopes[4] = {};
      for (int i = 0; i < 4; ++i) {
        g.spawn([&](int which) -> task<> {
          bool const ended = co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
            scopes[which] = &s;
            co_await wait_readable(p.read.fd());
          });
          ++(ended ? woken : cancelled);
        }, i);
      }
      co_await turns(2);
      scopes[0]->cancel();
      scopes[2]->cancel();
      while (cancelled < 2) co_await turns(1);
      CHECK(woken == 0);
      put(p.write, "x");
      co_await g.join();
    });
    CHECK(woken == 2);
    CHECK(cancelled == 2);
  });
}

IO_TEST("wait: a wait past its deadline throws timed_out, and the descriptor can be waited for again") {
  io.run([&]() -> task<> {
    two_ends const p = make_pipe();
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, wait_readable(p.read.fd())), plait::timed_out);
    put(p.write, "x");
    CHECK((co_await plait::with_timeout(10s, wait_readable(p.read.fd())) & POLLIN) != 0);
  });
}

IO_TEST("wait: a child process's descriptor becomes readable when the child ends") {
  io.run([&]() -> task<> {
    two_ends const p = make_pipe();
    pid_t const child = ::fork();
    if (child == 0) {
      char into[1];
      ::alarm(20);
      static_cast<void>(!::read(p.read.fd(), into, 1));
      ::_exit(7);
    }
    peer const pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    REQUIRE(pidfd.fd() >= 0);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const waiting = g.spawn([&]() -> task<short> { co_return co_await wait_readable(pidfd.fd()); });
      co_await turns(3);
      CHECK_FALSE(waiting.done());
      put(p.write, "x");
      CHECK((co_await waiting & POLLIN) != 0);
    });
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 7);
  });
}

IO_TEST("wait: a stream of plait's own can be waited for, beside its reader") {
  io.run([&]() -> task<> {
    connection c = connected();
    CHECK((co_await wait_writable(c.stream.fd()) & POLLOUT) != 0);
    for (int round = 0; round < 3; ++round) {
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        auto const waiting =
            g.spawn([&]() -> task<short> { co_return co_await wait_readable(c.stream.fd()); });
        co_await turns(2);
        CHECK_FALSE(waiting.done());
        auto const reading = g.spawn([&]() -> task<std::size_t> {
          char into[8];
          co_return co_await c.stream.read_some(into);
        });
        co_await turns(2);
        c.other.send("abc");
        CHECK(co_await reading == 3);
        CHECK((co_await waiting & POLLIN) != 0);
      });
    }
    CHECK_FALSE(co_await plait::move_on_after(1ms, [&]() -> task<> {
      co_await wait_readable(c.stream.fd());
    }));
    c.other.close();
    CHECK((co_await wait_readable(c.stream.fd()) & POLLIN) != 0);
  });
}

IO_TEST("wait: a descriptor that is waited for may become a stream") {
  io.run([&]() -> task<> {
    two_ends p = make_pair();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      int const fd = p.read.release();
      auto const waiting = g.spawn([&, fd]() -> task<short> { co_return co_await wait_readable(fd); });
      co_await turns(2);
      plait::io::tcp_stream stream((plait::io::descriptor(fd)));
      auto const reading = g.spawn([&]() -> task<std::size_t> {
        char into[8];
        co_return co_await stream.read_exactly(plait::io::mutable_buffer(into, 3));
      });
      co_await turns(2);
      put(p.write, "abc");
      CHECK(co_await reading == 3);
      CHECK((co_await waiting & POLLIN) != 0);
    });
  });
}
