#include <plait/io/passing.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/unix.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::as_result;
using plait::io::descriptor;
using plait::io::io_error;
using plait::io::unix_stream;
using plait::test::open_descriptors;
using plait::test::patterned;
using plait::test::turns;

namespace {

// The reading end of a pipe that holds this text.
descriptor pipe_with(std::string const& text) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  descriptor reading(ends[0]);
  descriptor const writing(ends[1]);
  if (::write(ends[1], text.data(), text.size()) < 0) throw std::runtime_error("write");
  return reading;
}

std::string content(descriptor const& fd) {
  char into[64];
  auto const n = ::read(fd.get(), into, sizeof into);
  return n < 0 ? "error" : std::string(into, static_cast<std::size_t>(n));
}

struct stream_pair {
  unix_stream one;
  unix_stream other;
};
stream_pair connected_pair() {
  auto [one, other] = unix_stream::pair();
  return {std::move(one), std::move(other)};
}

}  // namespace

IO_TEST("passing: descriptors arrive as duplicates, with the bytes they were sent with") {
  io.run([&]() -> task<> {
    stream_pair s = connected_pair();
    int const before = open_descriptors();
    {
      descriptor const a = pipe_with("first");
      descriptor const b = pipe_with("second");
      std::vector<int> const fds{a.get(), b.get()};
      co_await s.one.send_descriptors(fds, "two");
    }
    char into[8];
    auto const got = co_await s.other.receive_descriptors(into);
    CHECK(std::string(into, got.bytes) == "two");
    CHECK_FALSE(got.truncated);
    REQUIRE(got.descriptors.size() == 2);
    CHECK(content(got.descriptors[0]) == "first");
    CHECK(content(got.descriptors[1]) == "second");
    CHECK((::fcntl(got.descriptors[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(open_descriptors() == before + 2);
  });
}

IO_TEST("passing: bytes before, with and behind descriptors keep their order, a plain read drops them") {
  io.run([&]() -> task<> {
    stream_pair s = connected_pair();
    int const before = open_descriptors();
    std::string got;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reading = g.spawn([&]() -> task<> {
        while (got.size() < 12) {
          char into[64];
          std::size_t const n = co_await s.other.read_some(into);
          got.append(into, n);
        }
      });
      co_await turns(2);
      descriptor const a = pipe_with("x");
      std::vector<int> const fds{a.get()};
      co_await s.one.write_all("one ");
      co_await s.one.send_descriptors(fds, "two ");
      co_await s.one.write_all("tree");
      co_await reading;
    });
    CHECK(got == "one two tree");
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("passing: a large message goes whole, its descriptors once") {
  io.run([&]() -> task<> {
    stream_pair s = connected_pair();
    std::string const large = patterned(1 << 20);
    std::string got;
    std::size_t arrived = 0;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        descriptor const a = pipe_with("x");
        std::vector<int> const fds{a.get()};
        co_await s.one.send_descriptors(fds, large);
      });
      std::string into(65'536, '\0');
      while (got.size() < large.size()) {
        auto const part = co_await s.other.receive_descriptors(into);
        got.append(into, 0, part.bytes);
        arrived += part.descriptors.size();
      }
      co_await g.join();
    });
    CHECK((got == large));
    CHECK(arrived == 1);
  });
}

IO_TEST("passing: the end of the stream, an empty buffer and no bytes at all") {
  io.run([&]() -> task<> {
    stream_pair s = connected_pair();
    char into[8];
    auto const nothing = co_await s.other.receive_descriptors(plait::io::mutable_buffer(into, 0));
    CHECK(nothing.bytes == 0);
    std::string what;
    try {
      std::vector<int> const fds{0};
      co_await s.one.send_descriptors(fds, "");
    } catch (io_error const& e) {
      what = e.what();
    }
    CHECK(what.find("send (descriptors need a byte to go with)") == 0);
    std::vector<int> const wrong{-1};
    CHECK_THROWS_AS(co_await s.one.send_descriptors(wrong, "x"), io_error);
    std::vector<int> const many(254, 0);
    CHECK_THROWS_AS(co_await s.one.send_descriptors(many, "x"), io_error);
    std::vector<int> const none;
    co_await s.one.send_descriptors(none, "plain");
    co_await s.one.close();
    auto const got = co_await s.other.receive_descriptors(into);
    CHECK(got.bytes == 5);
    CHECK(got.descriptors.empty());
    auto const end = co_await s.other.receive_descriptors(into);
    CHECK(end.bytes == 0);
  });
}

IO_TEST("passing: cancelled whenever it may be, a receive loses or leaks no descriptor") {
  io.run([&]() -> task<> {
    int const before = open_descriptors();
    {
      stream_pair s = connected_pair();
      descriptor const a = pipe_with("x");
      std::vector<int> const fds{a.get()};
      std::size_t taken = 0;
      for (int round = 0; round < 60; ++round) {
        co_await plait::with_task_group([&](task_group& g) -> task<> {
          g.spawn([&]() -> task<> {
            char into[1];
            auto const got = co_await s.other.receive_descriptors(into);
            taken += got.descriptors.size();
          });
          co_await turns(round % 3);
          co_await s.one.send_descriptors(fds, "x");
          if (round % 4 == 1) co_await plait::yield();
          if (round % 4 == 2) co_await turns(1);
          g.cancel();
          co_await g.join();
        });
        CHECK(open_descriptors() == before + 3);
      }
      while (taken < 60) {
        char into[1];
        auto const got = co_await with_timeout(5s, s.other.receive_descriptors(into));
        taken += got.descriptors.size();
      }
      CHECK(taken == 60);
    }
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("passing: a receive that waits is ended by a deadline and by close") {
  io.run([&]() -> task<> {
    stream_pair s = connected_pair();
    char into[8];
    auto const late = co_await as_result(with_timeout(2ms, s.other.receive_descriptors(into)));
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == std::errc::timed_out);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const receiving = g.spawn([&]() -> task<std::error_code> {
        char unused[8];
        auto const got = co_await as_result(s.other.receive_descriptors(unused));
        co_return got ? std::error_code() : got.error().code;
      });
      co_await turns(2);
      co_await s.other.close();
      CHECK(co_await receiving == plait::io::errc::closed);
    });
  });
}

IO_TEST("passing: what arrives and is left in the socket goes with it") {
  io.run([&]() -> task<> {
    int const before = open_descriptors();
    {
      stream_pair s = connected_pair();
      descriptor const a = pipe_with("x");
      std::vector<int> const fds{a.get()};
      co_await s.one.send_descriptors(fds, "x");
    }
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("passing: more than this process may open are reported as lost, and none leaks") {
  io.run([&]() -> task<> {
    stream_pair s = connected_pair();
    descriptor const a = pipe_with("x");
    std::vector<int> const fds(5, a.get());
    co_await s.one.send_descriptors(fds, "x");
    int const before = open_descriptors();
    bool truncated = false;
    std::size_t arrived = 0;
    {
      plait::test::descriptor_famine famine(2);
      char into[1];
      auto const got = co_await s.other.receive_descriptors(into);
      truncated = got.truncated;
      arrived = got.descriptors.size();
    }
    CHECK(truncated);
    CHECK(arrived == 2);
    CHECK(open_descriptors() == before);
  });
}
