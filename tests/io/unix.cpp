#include <plait/io/unix.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/byte_stream.hpp>
#include <plait/io/error.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::as_result;
using plait::io::errc;
using plait::io::io_error;
using plait::io::unix_address;
using plait::io::unix_datagram;
using plait::io::unix_listener;
using plait::io::unix_stream;
using plait::test::open_descriptors;
using plait::test::patterned;
using plait::test::peer;
using plait::test::temporary_folder;
using plait::test::turns;

namespace {

bool exists(std::string const& path) {
  struct stat about{};
  return ::lstat(path.c_str(), &about) == 0;
}

// Connects without plait, and does not wait.
bool plain_connects(unix_address const& to, int type = SOCK_STREAM) {
  peer p(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return ::connect(p.fd(), to.data(), to.size()) == 0;
}

template <class Fn>
std::string error_of(Fn fn) {
  try {
    fn();
  } catch (io_error const& e) {
    return e.what();
  }
  return "";
}

task<std::error_code> code_of_read(unix_stream& s) {
  char into[8];
  auto const got = co_await as_result(s.read_some(into));
  co_return got ? std::error_code() : got.error().code;
}

}  // namespace

IO_TEST("unix: a stream connects to a path, and both ends read and write") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    unix_address const at(folder / "socket");
    auto listener = unix_listener::listen(at);
    CHECK(listener.local_address() == at);
    auto client = co_await unix_stream::connect(at);
    auto server = co_await listener.accept();
    co_await client.write_all("question");
    std::string into(8, '\0');
    co_await server.read_exactly(into);
    CHECK(into == "question");
    co_await server.write_all("answer");
    server.shutdown(plait::io::shutdown_direction::write);
    CHECK(co_await client.read_some(into) == 6);
    CHECK(co_await client.read_some(into) == 0);
    auto const who = server.credentials();
    CHECK(who.process == ::getpid());
    CHECK(who.user == ::getuid());
    CHECK(who.group == ::getgid());
  });
}

IO_TEST("unix: a pair passes a megabyte in both directions at once") {
  io.run([&]() -> task<> {
    auto [one, other] = unix_stream::pair();
    unix_stream& a = one;
    unix_stream& b = other;
    std::string const there = patterned(1 << 20, 1);
    std::string const back = patterned(1 << 20, 2);
    std::string got_there(there.size(), '\0');
    std::string got_back(back.size(), '\0');
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await a.write_all(there); });
      g.spawn([&]() -> task<> { co_await b.read_exactly(got_there); });
      g.spawn([&]() -> task<> { co_await b.write_all(back); });
      g.spawn([&]() -> task<> { co_await a.read_exactly(got_back); });
      co_await g.join();
    });
    CHECK((got_there == there));
    CHECK((got_back == back));
  });
}

IO_TEST("unix: a read and an accept are ended by cancellation, by a deadline and by close") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    auto listener = unix_listener::listen(unix_address(folder / "socket"));
    auto [one, other] = unix_stream::pair();
    unix_stream& stream = one;
    unix_stream& partner = other;
    char into[8];
    auto const late = co_await as_result(with_timeout(2ms, stream.read_some(into)));
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == std::errc::timed_out);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await code_of_read(stream); });
      g.spawn([&]() -> task<> { co_await listener.accept(); });
      co_await turns(2);
      g.cancel();
      co_await g.join();
    });
    bool const begun = co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      s.cancel();
      co_await unix_stream::connect(listener.local_address());
    });
    CHECK_FALSE(begun);
    co_await partner.write_all("abc");
    CHECK(co_await stream.read_some(into) == 3);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const reading = g.spawn([&]() { return code_of_read(stream); });
      auto const accepting = g.spawn([&]() -> task<std::error_code> {
        std::error_code code;
        try {
          co_await listener.accept();
        } catch (io_error const& e) {
          code = e.code();
        }
        co_return code;
      });
      co_await turns(2);
      co_await stream.close();
      listener.close();
      CHECK(co_await reading == errc::closed);
      CHECK(co_await accepting == errc::closed);
    });
    auto const lost = co_await as_result(partner.write_all("x"));
    REQUIRE_FALSE(lost.has_value());
    CHECK(lost.error().code == std::errc::broken_pipe);
  });
}

IO_TEST("unix: the file is private, goes with the listener, and another one there is left alone") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    std::string const path = folder / "socket";
    {
      auto listener = unix_listener::listen(unix_address(path));
      struct stat about{};
      REQUIRE(::lstat(path.c_str(), &about) == 0);
      CHECK((about.st_mode & 0777) == 0600);
      listener.close();
      CHECK_FALSE(exists(path));
    }
    std::optional<unix_listener> shared(unix_listener::listen(unix_address(path), {.mode = 0666}));
    struct stat about{};
    REQUIRE(::lstat(path.c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0666);
    auto moved = std::make_optional(std::move(*shared));
    shared.reset();
    CHECK(exists(path));
    moved.reset();
    CHECK_FALSE(exists(path));
    moved.emplace(unix_listener::listen(unix_address(path)));
    ::unlink(path.c_str());
    plait::test::write_file(path, "somebody else's");
    moved.reset();
    CHECK(plait::test::read_file(path) == "somebody else's");
    co_return;
  });
}

IO_TEST("unix: a file that nobody listens at is replaced, a live one and any other are refused") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    unix_address const at(folder / "socket");
    {
      peer stale(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      REQUIRE(::bind(stale.fd(), at.data(), at.size()) == 0);
    }
    REQUIRE(exists(at.path()));
    auto listener = unix_listener::listen(at);
    CHECK(plain_connects(at));
    int const before = open_descriptors();
    CHECK(error_of([&] { unix_listener::listen(at); }).find(
              "bind on " + at.path() + " (choose another path, or end the program") == 0);
    CHECK(error_of([&] { unix_datagram::bind(at); }).find("choose another path") != std::string::npos);
    CHECK(plain_connects(at));
    plait::test::write_file(folder / "file", "kept");
    CHECK(error_of([&] { unix_listener::listen(unix_address(folder / "file")); }).find("no socket") !=
          std::string::npos);
    CHECK(plait::test::read_file(folder / "file") == "kept");
    CHECK(error_of([&] { unix_listener::listen(unix_address(folder / "no/socket")); })
              .find("(make the folder first)") != std::string::npos);
    CHECK(error_of([&] { unix_listener::listen(unix_address::abstract("plait-test")); })
              .find("@plait-test (it takes a path") != std::string::npos);
    CHECK(open_descriptors() == before);
    co_return;
  });
}

IO_TEST("unix: errors of connecting name the address") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    int const before = open_descriptors();
    for (unix_address const& to : {unix_address(folder / "none"), unix_address::abstract("plait none")}) {
      std::string what;
      try {
        co_await unix_stream::connect(to);
      } catch (io_error const& e) {
        what = e.what();
      }
      CHECK(what.find("connect to " + to.to_string()) == 0);
    }
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("unix: a connect to a full backlog waits for room, and can be given up") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    auto listener = unix_listener::listen(unix_address(folder / "socket"), {.backlog = 0});
    unix_address const at = listener.local_address();
    std::vector<unix_stream> clients;
    clients.push_back(co_await unix_stream::connect(at));
    bool const full = !plain_connects(at);
    CHECK(full);
    CHECK_THROWS_AS(co_await with_timeout(3ms, unix_stream::connect(at)), plait::timed_out);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { clients.push_back(co_await unix_stream::connect(at)); });
      co_await turns(3);
      CHECK(clients.size() == 1);
      auto const first = co_await listener.accept();
      auto const second = co_await listener.accept();
      co_await g.join();
    });
    CHECK(clients.size() == 2);
  });
}

IO_TEST("unix: messages pass between paths, empty and truncated ones, too") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    auto server = unix_datagram::bind(unix_address(folder / "server"));
    auto client = unix_datagram::bind(unix_address(folder / "client"));
    auto nameless = unix_datagram::open();
    CHECK(co_await client.send_to(server.local_address(), "question") == 8);
    char into[16];
    auto const got = co_await server.receive_from(into);
    CHECK(std::string(into, got.bytes) == "question");
    CHECK(got.sender == client.local_address());
    CHECK(co_await server.send_to(got.sender, "") == 0);
    auto const empty = co_await client.receive_from(into);
    CHECK(empty.bytes == 0);
    CHECK(empty.sender == server.local_address());
    nameless.connect(server.local_address());
    CHECK(co_await nameless.send("0123456789") == 10);
    auto const cut = co_await server.receive_from(plait::io::mutable_buffer(into, 4));
    CHECK(cut.bytes == 4);
    CHECK(cut.truncated());
    CHECK(cut.sender.is_unnamed());
    std::string const path = server.local_address().path();
    co_await server.close();
    CHECK_FALSE(exists(path));
    std::string what;
    try {
      co_await client.send_to(unix_address(path), "x");
    } catch (io_error const& e) {
      what = e.what();
    }
    CHECK(what.find("send to " + path) == 0);
  });
}

IO_TEST("unix: a full receiver makes senders wait, connected or not, and nothing is lost") {
  io.run([&]() -> task<> {
    temporary_folder const folder;
    auto server = unix_datagram::bind(unix_address(folder / "server"));
    unix_address const to = server.local_address();
    auto loose = unix_datagram::open();
    auto connected = unix_datagram::open();
    connected.connect(to);
    int received = 0;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        for (int i = 0; i < 700; ++i) co_await loose.send_to(to, "loose");
      });
      g.spawn([&]() -> task<> {
        for (int i = 0; i < 700; ++i) co_await connected.send("tight");
      });
      co_await turns(5);
      for (; received < 1400; ++received) {
        char into[8];
        auto const got = co_await server.receive_from(into);
        if (got.bytes != 5) break;
      }
      co_await g.join();
    });
    CHECK(received == 1400);
    char into[8];
    CHECK_THROWS_AS(co_await with_timeout(2ms, server.receive(into)), plait::timed_out);
  });
}

IO_TEST("unix: a pair of message sockets, closed while one waits") {
  io.run([&]() -> task<> {
    auto [one, other] = unix_datagram::pair();
    unix_datagram& a = one;
    unix_datagram& b = other;
    char into[8];
    co_await a.send("abc");
    CHECK((co_await b.receive(into)).bytes == 3);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const receiving = g.spawn([&]() -> task<std::error_code> {
        char unused[8];
        auto const got = co_await as_result(b.receive(unused));
        co_return got ? std::error_code() : got.error().code;
      });
      co_await turns(2);
      co_await b.close();
      CHECK(co_await receiving == errc::closed);
    });
    auto const lost = co_await as_result(a.send("x"));
    CHECK_FALSE(lost.has_value());
  });
}
