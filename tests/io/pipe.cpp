#include <plait/io/pipe.hpp>

#include "support/death.hpp"
#include "support/io_deny.hpp"
#include "support/io_peer.hpp"
#include "support/io_test.hpp"
#include "support/skip.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <cerrno>
#include <csignal>
#include <string>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::as_result;
using plait::io::descriptor;
using plait::io::errc;
using plait::io::io_error;
using plait::io::pipe_pair;
using plait::io::pipe_reader;
using plait::io::pipe_writer;
using plait::test::open_descriptors;
using plait::test::patterned;
using plait::test::turns;

namespace {

// The other end of a pipe whose one end is plait's, driven by the test.
struct plain_ends {
  explicit plain_ends(int flags = 0) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC | flags) != 0) throw std::runtime_error("pipe2");
    reading = ends[0];
    writing = ends[1];
  }
  void put(std::string_view bytes) {
    if (::write(writing, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("write");
    }
  }
  std::string take(std::size_t most) {
    std::string into(most, '\0');
    auto const n = ::read(reading, into.data(), most);
    into.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return into;
  }
  int reading;
  int writing;
};

task<std::string> read_to_end(pipe_reader& from, std::size_t step) {
  std::string got;
  for (;;) {
    std::string into(step, '\0');
    std::size_t const n = co_await from.read_some(into);
    if (n == 0) co_return got;
    got.append(into, 0, n);
  }
}

}  // namespace

IO_TEST("pipe: read_some gives what is there, up to the buffer") {
  io.run([&]() -> task<> {
    pipe_pair p = pipe_pair::open();
    CHECK(co_await p.writer.write_all("hello") == 5);
    char into[4];
    CHECK(co_await p.reader.read_some(into) == 4);
    CHECK(std::string(into, 4) == "hell");
    CHECK(co_await p.reader.read_some(into) == 1);
    CHECK(into[0] == 'o');
    CHECK((::fcntl(p.reader.fd(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(p.writer.fd(), F_GETFD) & FD_CLOEXEC) != 0);
  });
}

IO_TEST("pipe: read_some waits for the first byte") {
  io.run([&]() -> task<> {
    plain_ends ends;
    pipe_reader reader((descriptor(ends.reading)));
    bool done = false;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reading = g.spawn([&]() -> task<std::size_t> {
        char into[8];
        std::size_t const n = co_await reader.read_some(into);
        done = true;
        co_return n;
      });
      co_await turns(3);
      CHECK_FALSE(done);
      ends.put("abc");
      CHECK(co_await reading == 3);
    });
    ::close(ends.writing);
  });
}

IO_TEST("pipe: a reader gets what is left when the writer has closed, then 0, again and again") {
  io.run([&]() -> task<> {
    pipe_pair p = pipe_pair::open();
    co_await p.writer.write_all("bye");
    co_await p.writer.close();
    char into[8];
    CHECK(co_await p.reader.read_some(into) == 3);
    CHECK(co_await p.reader.read_some(into) == 0);
    CHECK(co_await p.reader.read_some(into) == 0);
  });
}

IO_TEST("pipe: the last writer's close ends a read that waits") {
  io.run([&]() -> task<> {
    pipe_pair p = pipe_pair::open();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reading = g.spawn([&]() -> task<std::size_t> {
        char into[8];
        co_return co_await p.reader.read_some(into);
      });
      co_await turns(2);
      co_await p.writer.close();
      CHECK(co_await reading == 0);
    });
  });
}

IO_TEST("pipe: a zero-length buffer is neither an end of stream nor a wait") {
  io.run([&]() -> task<> {
    pipe_pair p = pipe_pair::open();
    char none[1];
    plait::io::mutable_buffer const empty(none, 0);
    CHECK(co_await p.reader.read_some(empty) == 0);
    CHECK(co_await p.reader.read_exactly(empty) == 0);
    CHECK(co_await p.writer.write_some("") == 0);
    CHECK(co_await p.writer.write_all("") == 0);
  });
}

IO_TEST("pipe: read_exactly collects pieces, and at the end says how much had come") {
  io.run([&]() -> task<> {
    plain_ends ends;
    pipe_reader reader((descriptor(ends.reading)));
    std::string into(10, '\0');
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reading =
          g.spawn([&]() -> task<std::size_t> { co_return co_await reader.read_exactly(into); });
      for (char const* const piece : {"0", "12", "345", "6789abc"}) {
        co_await turns(2);
        ends.put(piece);
      }
      CHECK(co_await reading == 10);
    });
    CHECK(into == "0123456789");
    ::close(ends.writing);
    try {
      co_await reader.read_exactly(into);
      FAIL("no exception");
    } catch (io_error const& e) {
      CHECK(e.code() == errc::end_of_file);
      CHECK(e.transferred() == 3);
    }
  });
}

IO_TEST("pipe: a megabyte passes however it is split, and write_some takes a part") {
  io.run([&]() -> task<> {
    pipe_pair p = pipe_pair::open();
    std::string const sent = patterned(1 << 20);
    CHECK(::fcntl(p.writer.fd(), F_SETPIPE_SZ, 8192) == 8192);
    CHECK(co_await p.writer.write_some(sent) == 8192);
    std::string got;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reading =
          g.spawn([&]() -> task<std::string> { co_return co_await read_to_end(p.reader, 5'003); });
      CHECK(co_await p.writer.write_all(std::string_view(sent).substr(8192)) == sent.size() - 8192);
      co_await p.writer.close();
      got = co_await reading;
    });
    CHECK((got == sent));
  });
}

IO_TEST("pipe: a write that nobody can read is an error and no signal") {
  auto const previous = std::signal(SIGPIPE, SIG_DFL);
  io.run([&]() -> task<> {
    pipe_pair p = pipe_pair::open();
    co_await p.reader.close();
    auto const some = co_await as_result(p.writer.write_some("x"));
    REQUIRE_FALSE(some.has_value());
    CHECK(some.error().code == std::errc::broken_pipe);
    CHECK_THROWS_AS(co_await p.writer.write_all("x"), io_error);
  });
  sigset_t pending;
  ::sigpending(&pending);
  CHECK(sigismember(&pending, SIGPIPE) == 0);
  std::signal(SIGPIPE, previous);
}

IO_TEST("pipe: no signal either where the kernel cannot hold it back, and one that waits is kept") {
  auto const options = io.options;
  auto const end = plait::test::in_child([options] {
    plait::test::hang_guard const guard("a pipe in a forked child", 30);
    std::signal(SIGPIPE, SIG_DFL);
    if (!plait::test::deny_system_call(SYS_pwritev2, EOPNOTSUPP)) ::_exit(77);
    int wrong = 0;
    plait::scheduler s(plait::make_driver(options));
    plait::run_on(s, [](int& problems) -> task<> {
      pipe_pair p = pipe_pair::open();
      co_await p.writer.write_all("through");
      char into[16];
      std::size_t const n = co_await p.reader.read_some(into);
      if (n != 7) problems |= 1;
      co_await p.reader.close();
      auto const lost = co_await as_result(p.writer.write_some("x"));
      if (lost || lost.error().code != std::errc::broken_pipe) problems |= 2;
      sigset_t set;
      sigpending(&set);
      if (sigismember(&set, SIGPIPE) != 0) problems |= 4;
      sigemptyset(&set);
      sigaddset(&set, SIGPIPE);
      pthread_sigmask(SIG_BLOCK, &set, nullptr);
      std::raise(SIGPIPE);
      auto const again = co_await as_result(p.writer.write_some("x"));
      if (again || again.error().code != std::errc::broken_pipe) problems |= 8;
      sigpending(&set);
      if (sigismember(&set, SIGPIPE) == 0) problems |= 16;
    }(wrong));
    ::_exit(wrong);
  });
  if (end.exited_with(77)) return plait::test::skip("no seccomp filters here");
  CHECK(end.signal == 0);
  CHECK(end.exit_code == 0);
}

IO_TEST("pipe: a reader that goes away ends the write that waits, which says how much was taken") {
  io.run([&]() -> task<> {
    plain_ends ends;
    pipe_writer writer((descriptor(ends.writing)));
    std::string const large = patterned(1 << 20);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const writing = g.spawn([&]() -> task<plait::io::result<std::size_t>> {
        co_return co_await as_result(writer.write_all(large));
      });
      co_await turns(3);
      CHECK(ends.take(1000) == large.substr(0, 1000));
      co_await turns(2);
      ::close(ends.reading);
      auto const got = co_await writing;
      REQUIRE_FALSE(got.has_value());
      CHECK(got.error().code == std::errc::broken_pipe);
      CHECK(got.error().transferred >= 1000);
      CHECK(got.error().transferred < large.size());
    });
  });
}

IO_TEST("pipe: cancelled before or while it waits, a read takes nothing") {
  io.run([&]() -> task<> {
    plain_ends ends;
    pipe_reader reader((descriptor(ends.reading)));
    char into[8];
    ends.put("abc");
    bool const ended = co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      s.cancel();
      co_await reader.read_some(into);
    });
    CHECK_FALSE(ended);
    CHECK(co_await reader.read_some(into) == 3);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        char unused[8];
        co_await reader.read_some(unused);
      });
      co_await turns(2);
      g.cancel();
      co_await g.join();
    });
    ends.put("de");
    CHECK(co_await reader.read_some(into) == 2);
    ::close(ends.writing);
  });
}

IO_TEST("pipe: cancelled while it waits, write_some writes nothing") {
  io.run([&]() -> task<> {
    plain_ends ends;
    pipe_writer writer((descriptor(ends.writing)));
    std::size_t const capacity = co_await writer.write_some(patterned(1 << 20));
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await writer.write_some("never"); });
      co_await turns(2);
      g.cancel();
      co_await g.join();
    });
    std::size_t left = 0;
    while (left < capacity) left += ends.take(1 << 20).size();
    CHECK(left == capacity);
    CHECK(co_await writer.write_some("again") == 5);
    CHECK(ends.take(100) == "again");
    ::close(ends.reading);
  });
}

IO_TEST("pipe: a deadline ends a read and a write, and nothing is lost") {
  io.run([&]() -> task<> {
    pipe_pair p = pipe_pair::open();
    char into[8];
    auto const none = co_await as_result(with_timeout(2ms, p.reader.read_some(into)));
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().code == std::errc::timed_out);
    std::size_t const capacity = co_await p.writer.write_some(patterned(1 << 20));
    CHECK_THROWS_AS(co_await with_timeout(2ms, p.writer.write_some("x")), plait::timed_out);
    CHECK_THROWS_AS(co_await with_timeout(0ns, p.reader.read_some(into)), plait::timed_out);
    std::string all(capacity, '\0');
    co_await p.reader.read_exactly(all);
    CHECK((all == patterned(1 << 20).substr(0, capacity)));
  });
}

IO_TEST("pipe: close ends whoever waits at either end with closed") {
  io.run([&]() -> task<> {
    int const before = open_descriptors();
    pipe_pair p = pipe_pair::open();
    pipe_pair full = pipe_pair::open();
    co_await full.writer.write_some(patterned(1 << 20));
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reading = g.spawn([&]() -> task<std::error_code> {
        char into[8];
        auto const got = co_await as_result(p.reader.read_some(into));
        co_return got ? std::error_code() : got.error().code;
      });
      auto const writing = g.spawn([&]() -> task<std::error_code> {
        auto const got = co_await as_result(full.writer.write_all("x"));
        co_return got ? std::error_code() : got.error().code;
      });
      co_await turns(2);
      co_await p.reader.close();
      co_await full.writer.close();
      CHECK(co_await reading == errc::closed);
      CHECK(co_await writing == errc::closed);
    });
    CHECK_FALSE(p.reader.is_open());
    co_await p.writer.close();
    co_await full.reader.close();
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("pipe: a second reader gets busy, and the first one gets the data") {
  io.run([&]() -> task<> {
    pipe_pair p = pipe_pair::open();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const first = g.spawn([&]() -> task<std::size_t> {
        char into[8];
        co_return co_await p.reader.read_some(into);
      });
      co_await turns(1);
      char into[8];
      auto const second = co_await as_result(p.reader.read_some(into));
      REQUIRE_FALSE(second.has_value());
      CHECK(second.error().code == errc::busy);
      co_await p.writer.write_all("abc");
      CHECK(co_await first == 3);
    });
  });
}

IO_TEST("pipe: a descriptor is adopted blocking or not, and read in packets, too") {
  for (int const flags : {0, O_NONBLOCK, O_DIRECT, O_DIRECT | O_NONBLOCK}) {
    io.run([&]() -> task<> {
      plain_ends ends(flags);
      pipe_reader reader((descriptor(ends.reading)));
      std::string got;
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        auto const reading =
            g.spawn([&]() -> task<std::string> { co_return co_await read_to_end(reader, 100); });
        co_await turns(2);
        // At once: a read ends with the packet, and the next one is there already.
        for (char const* const piece : {"one ", "two ", "three "}) ends.put(piece);
        co_await turns(3);
        ends.put("four");
        ::close(ends.writing);
        got = co_await reading;
      });
      CHECK(got == "one two three four");
    });
  }
}

IO_TEST("pipe: a child's output is read to its end") {
  io.run([&]() -> task<> {
    plain_ends ends;
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends.writing, STDOUT_FILENO);
    char shell[] = "sh";
    char option[] = "-c";
    char script[] = "echo one; echo two";
    char* const arguments[] = {shell, option, script, nullptr};
    pid_t child = -1;
    REQUIRE(::posix_spawn(&child, "/bin/sh", &actions, nullptr, arguments, environ) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends.writing);
    pipe_reader output((descriptor(ends.reading)));
    CHECK(co_await read_to_end(output, 64) == "one\ntwo\n");
    int status = -1;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    CHECK(status == 0);
  });
}

IO_TEST("pipe: closed and empty ends, wrong descriptors and a famine answer with errors") {
  io.run([&]() -> task<> {
    pipe_pair p;
    char into[4];
    auto const read = co_await as_result(p.reader.read_some(into));
    CHECK(read.error().code == std::errc::bad_file_descriptor);
    auto const written = co_await as_result(p.writer.write_all("x"));
    CHECK(written.error().code == std::errc::bad_file_descriptor);
    co_await p.reader.close();
    co_await p.writer.close();
    CHECK_THROWS_AS(pipe_reader(descriptor()), io_error);

    pipe_pair real = pipe_pair::open();
    pipe_writer wrong_way((descriptor(::fcntl(real.reader.fd(), F_DUPFD_CLOEXEC, 0))));
    auto const refused = co_await as_result(wrong_way.write_some("x"));
    CHECK(refused.error().code == std::errc::bad_file_descriptor);

    int const before = open_descriptors();
    std::string what;
    {
      plait::test::descriptor_famine famine(1);
      try {
        pipe_pair::open();
      } catch (io_error const& e) {
        what = e.what();
      }
    }
    CHECK(what.find("pipe (raise the descriptor limit: ulimit -n)") == 0);
    CHECK(open_descriptors() == before);
  });
}
