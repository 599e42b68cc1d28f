#include <plait/io/udp.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/message_op.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <cerrno>
#include <string>
#include <vector>

#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::as_result;
using plait::io::descriptor;
using plait::io::errc;
using plait::io::io_error;
using plait::io::udp_socket;
using plait::test::open_descriptors;
using plait::test::patterned;
using plait::test::turns;

namespace {

// The other side: a plain socket that does not wait.
class plain_udp {
 public:
  plain_udp() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    address const any = address::loopback(0);
    if (::bind(fd_, any.data(), any.size()) != 0) throw std::runtime_error("bind");
  }
  plain_udp(plain_udp const&) = delete;
  plain_udp& operator=(plain_udp const&) = delete;
  ~plain_udp() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  address at() const {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &size);
    return address::from(reinterpret_cast<sockaddr*>(&storage), size);
  }
  void send(address const& to, std::string_view bytes) {
    auto const n = ::sendto(fd_, bytes.data(), bytes.size(), 0, to.data(), to.size());
    if (n != static_cast<ssize_t>(bytes.size())) throw std::runtime_error("sendto");
  }
  // On loopback a message is there when it has been sent.
  std::string receive() {
    char into[65536];
    auto const n = ::recv(fd_, into, sizeof into, 0);
    return n < 0 ? "none" : std::string(into, static_cast<std::size_t>(n));
  }

 private:
  int fd_;
};

int option(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(fd, SOL_SOCKET, name, &value, &size);
  return value;
}

task<std::error_code> code_of_receive(udp_socket& s) {
  char into[8];
  auto const got = co_await as_result(s.receive_from(into));
  co_return got ? std::error_code() : got.error().code;
}

}  // namespace

IO_TEST("udp: a message arrives whole and names its sender, and the answer goes there") {
  io.run([&]() -> task<> {
    auto socket = udp_socket::bind(address::loopback(0));
    plain_udp other;
    other.send(socket.local_address(), "question");
    char into[64];
    auto const got = co_await socket.receive_from(into);
    CHECK(std::string(into, got.bytes) == "question");
    CHECK(got.sent_bytes == 8);
    CHECK_FALSE(got.truncated());
    CHECK(got.sender == other.at());
    CHECK(co_await socket.send_to(got.sender, "answer") == 6);
    CHECK(other.receive() == "answer");
    CHECK(other.receive() == "none");
  });
}

IO_TEST("udp: receive_from waits, and takes one message of several at a time") {
  io.run([&]() -> task<> {
    auto socket = udp_socket::bind(address::loopback(0));
    plain_udp other;
    std::vector<std::string> got;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const receiving = g.spawn([&]() -> task<> {
        for (int i = 0; i < 4; ++i) {
          char into[64];
          auto const message = co_await socket.receive_from(into);
          got.emplace_back(into, message.bytes);
        }
      });
      co_await turns(3);
      CHECK(got.empty());
      for (char const* const text : {"a", "bcd", "ef"}) other.send(socket.local_address(), text);
      co_await turns(20);
      CHECK(got.size() == 3);
      other.send(socket.local_address(), "g");
      co_await receiving;
    });
    CHECK(got == std::vector<std::string>{"a", "bcd", "ef", "g"});
  });
}

IO_TEST("udp: an empty message is a message, and an empty buffer takes one") {
  io.run([&]() -> task<> {
    auto socket = udp_socket::bind(address::loopback(0));
    plain_udp other;
    other.send(socket.local_address(), "");
    other.send(socket.local_address(), "lost");
    other.send(socket.local_address(), "next");
    char into[8];
    auto const empty = co_await socket.receive_from(into);
    CHECK(empty.bytes == 0);
    CHECK(empty.sent_bytes == 0);
    CHECK(empty.sender == other.at());
    auto const cut = co_await socket.receive_from(plait::io::mutable_buffer(into, 0));
    CHECK(cut.bytes == 0);
    CHECK(cut.truncated());
    auto const next = co_await socket.receive_from(into);
    CHECK(std::string(into, next.bytes) == "next");
    CHECK(co_await socket.send_to(other.at(), "") == 0);
    CHECK(other.receive().empty());
    CHECK(other.receive() == "none");
  });
}

IO_TEST("udp: what the buffer is too short for is lost and reported") {
  io.run([&]() -> task<> {
    auto socket = udp_socket::bind(address::loopback(0));
    plain_udp other;
    other.send(socket.local_address(), "0123456789");
    other.send(socket.local_address(), "whole");
    char into[5];
    auto const cut = co_await socket.receive_from(into);
    CHECK(cut.bytes == 5);
    CHECK(cut.sent_bytes == 10);
    CHECK(cut.truncated());
    CHECK(std::string(into, 5) == "01234");
    auto const next = co_await socket.receive_from(into);
    CHECK(std::string(into, next.bytes) == "whole");
    CHECK_FALSE(next.truncated());
  });
}

IO_TEST("udp: the largest message passes, a larger one is an error that says so") {
  io.run([&]() -> task<> {
    auto a = udp_socket::bind(address::loopback(0));
    auto b = udp_socket::bind(address::loopback(0));
    std::string const largest = patterned(65'507);
    CHECK(co_await a.send_to(b.local_address(), largest) == largest.size());
    std::string into(65'536, '\0');
    auto const got = co_await b.receive_from(into);
    into.resize(got.bytes);
    CHECK((into == largest));
    try {
      co_await a.send_to(b.local_address(), patterned(65'508));
      FAIL("no exception");
    } catch (io_error const& e) {
      CHECK(e.code() == std::errc::message_size);
      CHECK(std::string(e.what()).find("send to " + b.local_address().to_string() +
                                       " (65508 bytes are more than one message takes)") == 0);
    }
  });
}

IO_TEST("udp: a connected socket sends there, and hears nobody else") {
  io.run([&]() -> task<> {
    auto socket = udp_socket::bind(address::loopback(0));
    plain_udp friendly;
    plain_udp stranger;
    socket.connect(friendly.at());
    CHECK(socket.remote_address() == friendly.at());
    CHECK(co_await socket.send("hello") == 5);
    CHECK(friendly.receive() == "hello");
    stranger.send(socket.local_address(), "spam");
    friendly.send(socket.local_address(), "hi");
    char into[8];
    auto const got = co_await socket.receive(into);
    CHECK(std::string(into, got.bytes) == "hi");
    CHECK(got.sender == friendly.at());
  });
}

IO_TEST("udp: a connected socket learns that nobody listens, also while it waits") {
  io.run([&]() -> task<> {
    auto socket = udp_socket::bind(address::loopback(0));
    plain_udp gone;
    socket.connect(gone.at());
    gone.close();
    co_await socket.send("anybody?");
    CHECK(co_await code_of_receive(socket) == std::errc::connection_refused);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const receiving = g.spawn([&]() { return code_of_receive(socket); });
      co_await turns(2);
      co_await socket.send("anybody?");
      CHECK(co_await receiving == std::errc::connection_refused);
    });
  });
}

IO_TEST("udp: errors of sending name the receiver or say what to do") {
  io.run([&]() -> task<> {
    auto socket = udp_socket::bind(address::loopback(0));
    std::string what;
    try {
      co_await socket.send("nowhere");
    } catch (io_error const& e) {
      what = e.what();
    }
    CHECK(what.find("send (send_to names a receiver, connect sets one)") == 0);
    auto const shouted = co_await as_result(socket.send_to(address("255.255.255.255", 9), "x"));
    REQUIRE_FALSE(shouted.has_value());
    CHECK_FALSE(shouted.error().message().empty());
    auto const v6 = co_await as_result(socket.send_to(address("::1", 9), "x"));
    CHECK_FALSE(v6.has_value());
  });
}

IO_TEST("udp: cancelled before or while it waits, a receive takes no message") {
  io.run([&]() -> task<> {
    auto socket = udp_socket::bind(address::loopback(0));
    plain_udp other;
    other.send(socket.local_address(), "first");
    char into[8];
    bool const ended = co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      s.cancel();
      co_await socket.receive_from(into);
    });
    CHECK_FALSE(ended);
    CHECK((co_await socket.receive_from(into)).bytes == 5);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        char unused[8];
        co_await socket.receive_from(unused);
      });
      co_await turns(2);
      g.cancel();
      co_await g.join();
    });
    other.send(socket.local_address(), "second");
    CHECK((co_await socket.receive_from(into)).bytes == 6);
  });
}

IO_TEST("udp: a cancelled send in a cancelled scope sends nothing") {
  io.run([&]() -> task<> {
    auto socket = udp_socket::bind(address::loopback(0));
    plain_udp other;
    co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      s.cancel();
      co_await socket.send_to(other.at(), "never");
    });
    co_await turns(2);
    CHECK(other.receive() == "none");
  });
}

IO_TEST("udp: a deadline ends a receive, and a message in time is delivered") {
  io.run([&]() -> task<> {
    auto socket = udp_socket::bind(address::loopback(0));
    plain_udp other;
    char into[8];
    auto const none = co_await as_result(with_timeout(2ms, socket.receive_from(into)));
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().code == std::errc::timed_out);
    CHECK_THROWS_AS(co_await with_timeout(2ms, socket.receive_from(into)), plait::timed_out);
    other.send(socket.local_address(), "x");
    auto const some = co_await as_result(with_timeout(10s, socket.receive_from(into)));
    REQUIRE(some.has_value());
    CHECK(some->bytes == 1);
    auto const sent = co_await as_result(with_timeout(10s, socket.send_to(other.at(), "y")));
    CHECK(sent == std::size_t{1});
  });
}

IO_TEST("udp: close ends the receive that waits with closed, and the port is free") {
  io.run([&]() -> task<> {
    int const before = open_descriptors();
    auto socket = udp_socket::bind(address::loopback(0));
    address const at = socket.local_address();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const receiving = g.spawn([&]() { return code_of_receive(socket); });
      co_await turns(2);
      co_await socket.close();
      CHECK(co_await receiving == errc::closed);
    });
    CHECK_FALSE(socket.is_open());
    CHECK(open_descriptors() == before);
    auto const again = udp_socket::bind(at);
    CHECK(again.local_address() == at);
    CHECK(co_await code_of_receive(socket) == std::errc::bad_file_descriptor);
  });
}

IO_TEST("udp: a second receiver gets busy, and the first one gets the message") {
  io.run([&]() -> task<> {
    auto socket = udp_socket::bind(address::loopback(0));
    plain_udp other;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const first = g.spawn([&]() -> task<std::size_t> {
        char into[8];
        co_return (co_await socket.receive_from(into)).bytes;
      });
      co_await turns(1);
      CHECK(co_await code_of_receive(socket) == errc::busy);
      other.send(socket.local_address(), "abc");
      CHECK(co_await first == 3);
    });
  });
}

IO_TEST("udp: options reach the socket, and two sockets share a port where both ask for it") {
  io.run([&]() -> task<> {
    auto const plain = udp_socket::bind(address::loopback(0));
    CHECK(option(plain.fd(), SO_BROADCAST) == 0);
    CHECK(option(plain.fd(), SO_REUSEPORT) == 0);
    auto const first = udp_socket::bind(
        address::loopback(0), {.reuse_port = true, .broadcast = true, .send_buffer_bytes = 20'000,
                               .receive_buffer_bytes = 10'000});
    CHECK(option(first.fd(), SO_BROADCAST) == 1);
    CHECK(option(first.fd(), SO_SNDBUF) == 40'000);  // the kernel doubles it
    CHECK(option(first.fd(), SO_RCVBUF) == 20'000);
    auto const second = udp_socket::bind(first.local_address(), {.reuse_port = true});
    CHECK(second.local_address() == first.local_address());
    co_return;
  });
}

IO_TEST("udp: a port in use and an address of no interface say so, and leave no descriptor") {
  io.run([&]() -> task<> {
    auto const first = udp_socket::bind(address::loopback(0));
    int const before = open_descriptors();
    std::string what;
    try {
      udp_socket::bind(first.local_address());
    } catch (io_error const& e) {
      CHECK(e.code() == std::errc::address_in_use);
      what = e.what();
    }
    CHECK(what.find("bind on " + first.local_address().to_string() + " (choose another port") == 0);
    CHECK_THROWS_AS(udp_socket::bind(address("203.0.113.7", 0)), io_error);
    CHECK(open_descriptors() == before);
    udp_socket none;
    CHECK_THROWS_AS(none.connect(first.local_address()), io_error);
    CHECK_THROWS_AS(none.local_address(), io_error);
    CHECK_THROWS_AS(first.remote_address(), io_error);
    co_await none.close();
  });
}

IO_TEST("udp: a kernel without the ring's message operations is served by readiness") {
  io.options.masked_opcodes = 1ULL << IORING_OP_SENDMSG | 1ULL << IORING_OP_RECVMSG;
  io.run([&]() -> task<> {
    auto a = udp_socket::bind(address::loopback(0));
    auto b = udp_socket::bind(address::loopback(0));
    int echoed = 0;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        for (;;) {
          char into[8];
          auto const got = co_await b.receive_from(into);
          co_await b.send_to(got.sender, std::string_view(into, got.bytes));
        }
      });
      for (; echoed < 20; ++echoed) {
        co_await a.send_to(b.local_address(), "ping");
        char into[8];
        auto const got = co_await a.receive_from(into);
        if (got.sender != b.local_address() || got.bytes != 4) break;
      }
      g.cancel();
    });
    CHECK(echoed == 20);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const receiving = g.spawn([&]() { return code_of_receive(a); });
      co_await turns(2);
      co_await a.close();
      CHECK(co_await receiving == errc::closed);
    });
  });
}
