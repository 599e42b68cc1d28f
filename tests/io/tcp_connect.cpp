#include <plait/io/tcp.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <optional>
#include <string>
#include <vector>

#include <sys/socket.h>

using namespace std::chrono_literals;
using plait::task;
using plait::io::address;
using plait::io::io_error;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::test::open_descriptors;
using plait::test::turns;

IO_TEST("tcp: a refused connect names the address and leaves no descriptor") {
  io.run([&]() -> task<> {
    plait::test::closed_port const nobody;
    int const before = open_descriptors();
    for (int i = 0; i < 3; ++i) {
      try {
        co_await tcp_stream::connect(nobody.address());
        FAIL("no exception");
      } catch (io_error const& e) {
        CHECK(e.code() == std::errc::connection_refused);
        CHECK(std::string(e.what()).find("connect to " + nobody.address().to_string()) == 0);
      }
    }
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("tcp: an unreachable or wrong address is the kernel's error") {
  io.run([&]() -> task<> {
    int const before = open_descriptors();
    for (address const& to : {address("255.255.255.255", 80), address("::ffff:255.255.255.255", 80),
                              address("224.0.0.1", 80)}) {
      INFO(to.to_string());
      CHECK_THROWS_AS(co_await tcp_stream::connect(to), io_error);
    }
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("tcp: connects over IPv6 where the machine has it") {
  io.run([&]() -> task<> {
    bool connected = true;
    try {
      auto listener = tcp_listener::listen(address("::1", 0));
      auto client = co_await tcp_stream::connect(listener.local_address());
      auto server = co_await listener.accept();
      CHECK(server.local_address().is_v6());
      CHECK(server.remote_address() == client.local_address());
    } catch (io_error const& e) {
      connected = false;
      CHECK((e.code() == std::errc::address_not_available ||
             e.code() == std::errc::address_family_not_supported));
    }
    CHECK((connected || address("::1", 1).is_v6()));
  });
}

namespace {

// A listener whose queue is full and that accepts nobody: further connects wait.
struct deaf_listener {
  plait::test::peer holder;
  std::vector<plait::test::peer> queued;
  address at;

  deaf_listener() {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    holder = plait::test::peer(fd);
    address const any = address::loopback(0);
    REQUIRE(::bind(fd, any.data(), any.size()) == 0);
    REQUIRE(::listen(fd, 0) == 0);
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
    at = address::from(reinterpret_cast<sockaddr*>(&name), size);
    queued.push_back(plait::test::peer::connect(at));
  }
};

}  // namespace

IO_TEST("tcp: a connect that waits is cancelled, and its descriptor is closed") {
  io.run([&]() -> task<> {
    deaf_listener const deaf;
    int const before = open_descriptors();
    for (int i = 0; i < 3; ++i) {
      plait::cancel_scope* scope = nullptr;
      co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
        auto const connecting = g.spawn([&]() -> task<bool> {
          auto const made = co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<int> {
            scope = &s;
            auto const stream = co_await tcp_stream::connect(deaf.at);
            co_return stream.fd();
          });
          co_return made.has_value();
        });
        co_await turns(2);
        scope->cancel();
        CHECK_FALSE(co_await connecting);
      });
      CHECK(open_descriptors() == before);
    }
  });
}

IO_TEST("tcp: a connect past its deadline throws timed_out") {
  io.run([&]() -> task<> {
    deaf_listener const deaf;
    int const before = open_descriptors();
    CHECK_THROWS_AS(co_await plait::with_timeout(10ms, tcp_stream::connect(deaf.at)), plait::timed_out);
    CHECK(open_descriptors() == before);
  });
}

IO_TEST("tcp: a connect in a cancelled scope does not begin") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    auto const made = co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<int> {
      s.cancel();
      auto const stream = co_await tcp_stream::connect(listener.local_address());
      co_return stream.fd();
    });
    CHECK_FALSE(made.has_value());
    auto const late = co_await plait::move_on_after(5ms, [&]() -> task<int> {
      auto const stream = co_await listener.accept();
      co_return stream.fd();
    });
    CHECK_FALSE(late.has_value());
  });
}

IO_TEST("tcp: with no descriptor left connect says how to get more") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    plait::test::descriptor_famine famine;
    std::optional<io_error> error;
    try {
      co_await tcp_stream::connect(listener.local_address());
    } catch (io_error const& e) {
      error = e;
    }
    famine.end();
    REQUIRE(error.has_value());
    CHECK(error->code() == std::errc::too_many_files_open);
    CHECK(std::string(error->what()).find("ulimit -n") != std::string::npos);
    auto const client = co_await tcp_stream::connect(listener.local_address());
    CHECK(client.is_open());
  });
}
