#include <plait/io/serve.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/task_group.hpp>
#include <plait/when.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::serve;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::test::peer;
using plait::test::turns;

namespace {

// Answers lines of one byte: 'x' throws, 'q' ends, anything else comes back.
task<> session(tcp_stream stream) {
  char byte[1];
  for (;;) {
    std::size_t const n = co_await stream.read_some(byte);
    if (n == 0) co_return;
    if (byte[0] == 'x') throw std::runtime_error("the session's own failure");
    if (byte[0] == 'q') co_return;
    co_await stream.write_all(byte);
  }
}

int failures = 0;
void count_failure(std::exception_ptr) { ++failures; }

// Runs a service, and `clients` beside it, and then cancels the service.
template <class Clients>
task<> with_service(plait::io::serve_options options, Clients clients) {
  auto listener = tcp_listener::listen(address::loopback(0));
  co_await plait::with_task_group([&](task_group& g) -> task<> {
    g.spawn([&]() -> task<> { co_await serve(listener, options, session); });
    co_await clients(listener.local_address());
    g.cancel();
  });
  CHECK_THROWS_AS(peer::connect(listener.local_address()), std::system_error);
}

task<std::string> ask(tcp_stream& stream, char question) {
  std::string got(1, question);
  co_await stream.write_all(got);
  co_await stream.read_exactly(got);
  co_return got;
}

}  // namespace

IO_TEST("serve: each connection has a session, until the service is cancelled") {
  io.run([&]() -> task<> {
    co_await with_service({}, [](address at) -> task<> {
      std::vector<tcp_stream> clients;
      for (int i = 0; i < 10; ++i) clients.push_back(co_await tcp_stream::connect(at));
      for (char c = 'a'; c < 'd'; ++c) {
        for (tcp_stream& client : clients) CHECK(co_await ask(client, c) == std::string(1, c));
      }
    });
  });
}

IO_TEST("serve: a session that fails ends alone") {
  failures = 0;
  io.run([&]() -> task<> {
    co_await with_service({.on_failure = count_failure}, [](address at) -> task<> {
      auto good = co_await tcp_stream::connect(at);
      CHECK(co_await ask(good, 'a') == "a");
      for (int i = 0; i < 5; ++i) {
        auto bad = co_await tcp_stream::connect(at);
        co_await bad.write_all("x");
        char into[1];
        CHECK(co_await bad.read_some(into) == 0);  // its session closed it
        CHECK(co_await ask(good, 'b') == "b");
      }
    });
  });
  CHECK(failures == 5);
}

IO_TEST("serve: clients that reset in mid-message do not disturb the service") {
  failures = 0;
  io.run([&]() -> task<> {
    co_await with_service({.on_failure = count_failure}, [](address at) -> task<> {
      auto good = co_await tcp_stream::connect(at);
      for (int i = 0; i < 20; ++i) {
        peer client = peer::connect(at);
        client.send(std::string(100, 'r'));
        if (i % 2 == 0) co_await turns(2);
        client.reset();
        CHECK(co_await ask(good, 'g') == "g");
      }
    });
  });
  CHECK(failures <= 20);
}

IO_TEST("serve: a session that ends well is closed, and its client sees the end") {
  io.run([&]() -> task<> {
    co_await with_service({}, [](address at) -> task<> {
      auto client = co_await tcp_stream::connect(at);
      co_await client.write_all("q");
      char into[1];
      CHECK(co_await client.read_some(into) == 0);
    });
  });
}

IO_TEST("serve: when it is cancelled, its sessions have the drain time to end") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    auto client = co_await tcp_stream::connect(listener.local_address());
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const service = g.spawn([&]() -> task<bool> {
        co_return co_await plait::with_task_group([&](task_group& inner) -> task<bool> {
          inner.spawn([&]() -> task<> {
            co_await serve(listener, plait::io::serve_options{.drain = 1h}, session);
          });
          CHECK(co_await ask(client, 'a') == "a");
          inner.cancel();
          co_return true;
        });
      });
      co_await turns(5);
      CHECK(co_await ask(client, 'b') == "b");  // it still answers
      CHECK_FALSE(service.done());
      CHECK_THROWS_AS(peer::connect(listener.local_address()), std::system_error);
      co_await client.write_all("q");
      CHECK(co_await service);
    });
  });
}

IO_TEST("serve: what has not ended when the drain time is over is cancelled") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    auto client = co_await tcp_stream::connect(listener.local_address());
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        co_await serve(listener, plait::io::serve_options{.drain = 20ms}, session);
      });
      CHECK(co_await ask(client, 'a') == "a");
      g.cancel();
    });
    char into[1];
    CHECK(co_await client.read_some(into) == 0);
  });
}

IO_TEST("serve: arguments are copied for each session") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    auto const total = std::make_shared<int>(0);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        auto const count = [](tcp_stream stream, std::shared_ptr<int> sum, int by) -> task<> {
          *sum += by;
          co_await stream.write_all("done");
        };
        co_await serve(listener, count, total, 7);
      });
      for (int i = 0; i < 3; ++i) {
        auto client = co_await tcp_stream::connect(listener.local_address());
        char into[4];
        co_await client.read_exactly(into);
      }
      g.cancel();
    });
    CHECK(*total == 21);
    CHECK(total.use_count() == 1);
  });
}
