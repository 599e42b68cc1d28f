#include <plait/io/tcp.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::cancel_scope;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::errc;
using plait::io::io_error;
using plait::io::listen_options;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::test::open_descriptors;
using plait::test::peer;
using plait::test::turns;

namespace {

task<std::string> first_bytes(tcp_stream& s, std::size_t n) {
  std::string into(n, '\0');
  co_await s.read_exactly(into);
  co_return into;
}

// accept, given up after some turns when nobody comes.
task<bool> accepts_nobody(tcp_listener& listener) {
  bool const accepted = (co_await plait::move_on_after(5ms, [&listener]() -> task<int> {
                          auto const stream = co_await listener.accept();
                          co_return stream.fd();
                        })).has_value();
  co_return !accepted;
}

}  // namespace

IO_TEST("tcp: accept waits for a connection") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const accepting = g.spawn([&]() -> task<std::string> {
        auto stream = co_await listener.accept();
        co_return co_await first_bytes(stream, 5);
      });
      co_await turns(3);
      peer client = peer::connect(listener.local_address());
      client.send("hello");
      CHECK(co_await accepting == "hello");
    });
  });
}

IO_TEST("tcp: connections that land while nobody accepts are the next accepts', in order") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    CHECK(co_await accepts_nobody(listener));  // armed from here on
    std::vector<peer> clients;
    for (char const name : {'a', 'b', 'c', 'd'}) {
      clients.push_back(peer::connect(listener.local_address()));
      clients.back().send(std::string(1, name));
    }
    co_await turns(3);
    std::string order;
    for (int i = 0; i < 4; ++i) {
      auto stream = co_await listener.accept();
      order += co_await first_bytes(stream, 1);
    }
    CHECK(order == "abcd");
    CHECK(co_await accepts_nobody(listener));
  });
}

IO_TEST("tcp: while nobody accepts, connections wait in the backlog and not in the process") {
  constexpr std::size_t connections = 300;
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0), listen_options{.backlog = 512});
    CHECK(co_await accepts_nobody(listener));  // armed from here on
    int const before = open_descriptors();
    std::vector<peer> clients;
    for (std::size_t i = 0; i < connections; ++i) {
      clients.push_back(peer::connect(listener.local_address()));
      clients.back().send(std::string(1, static_cast<char>('a' + i % 26)));
      co_await turns(1);
    }
    co_await turns(3);
    auto const landed = static_cast<std::size_t>(open_descriptors() - before) - connections;
    CHECK(landed <= 100);
    for (std::size_t i = 0; i < connections; ++i) {
      auto stream = co_await listener.accept();
      auto const name = co_await first_bytes(stream, 1);
      CHECK(name == std::string(1, static_cast<char>('a' + i % 26)));
    }
    CHECK(co_await accepts_nobody(listener));
  });
}

IO_TEST("tcp: a cancelled accept loses no connection, whenever it is cancelled") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    int accepted = 0;
    for (int round = 0; round < 60; ++round) {
      cancel_scope* scope = nullptr;
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        g.spawn([&]() -> task<> {
          co_await plait::with_cancel_scope([&](cancel_scope& s) -> task<> {
            scope = &s;
            auto const stream = co_await listener.accept();
            ++accepted;
          });
          scope = nullptr;
        });
        co_await turns(1 + round % 2);
        peer const client = peer::connect(listener.local_address());
        if (round % 3 == 1) co_await turns(1);
        if (round % 3 == 2) co_await plait::yield();
        if (scope != nullptr) scope->cancel();
        co_await g.join();
      });
    }
    INFO("accepted before the cancellation: " << accepted);
    while (accepted < 60) {
      auto const stream = co_await listener.accept();
      ++accepted;
    }
    CHECK(co_await accepts_nobody(listener));
  });
}

IO_TEST("tcp: closing a listener ends the accept that waits and refuses connects") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    address const at = listener.local_address();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
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
      listener.close();
      CHECK(co_await accepting == errc::closed);
    });
    CHECK_THROWS_AS(peer::connect(at), std::system_error);
    for (int i = 0; i < 3; ++i) {
      std::error_code code;
      try {
        co_await listener.accept();
      } catch (io_error const& e) {
        code = e.code();
      }
      CHECK(code == errc::closed);
      co_await turns(1);
    }
    listener.close();
  });
}

IO_TEST("tcp: a connection that nobody accepted ends when the listener closes") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    CHECK(co_await accepts_nobody(listener));
    peer client = peer::connect(listener.local_address());
    co_await turns(3);
    listener.close();
    co_await turns(3);
    std::string const end = client.receive_all();
    CHECK((end.empty() || end == "reset"));
  });
}

IO_TEST("tcp: a destroyed listener frees its port and its connections at once") {
  io.run([&]() -> task<> {
    int const before = open_descriptors();
    std::optional<tcp_listener> listener(tcp_listener::listen(address::loopback(0)));
    address const at = listener->local_address();
    CHECK(co_await accepts_nobody(*listener));
    peer client = peer::connect(at);
    co_await turns(2);
    listener.reset();
    auto again = tcp_listener::listen(at);
    CHECK(again.local_address() == at);
    peer const second = peer::connect(at);
    auto const accepted = co_await again.accept();
    CHECK(accepted.is_open());
    std::string const end = client.receive_all();
    CHECK((end.empty() || end == "reset"));
    client.close();
    co_await turns(3);
    CHECK(open_descriptors() == before + 3);
  });
}

IO_TEST("tcp: a listener that was never asked, and one that is moved, leave nothing behind") {
  io.run([&]() -> task<> {
    auto const unused = tcp_listener::listen(address::loopback(0));
    auto first = tcp_listener::listen(address::loopback(0));
    CHECK(co_await accepts_nobody(first));
    address const at = first.local_address();
    auto second = std::move(first);
    peer const client = peer::connect(at);
    auto const stream = co_await second.accept();
    CHECK(stream.is_open());
  });
}

IO_TEST("tcp: a listener may outlive the run") {
  plait::scheduler s(plait::make_driver(io.options));
  std::optional<tcp_listener> listener;
  plait::run_on(s, [](std::optional<tcp_listener>& made) -> task<> {
    made = tcp_listener::listen(address::loopback(0));
    CHECK(co_await accepts_nobody(*made));
  }(listener));
  peer const client = peer::connect(listener->local_address());
  plait::run_on(s, [](std::optional<tcp_listener>& made) -> task<> {
    auto const stream = co_await made->accept();
    CHECK(stream.is_open());
  }(listener));
  listener.reset();
}

IO_TEST("tcp: a port in use says so, and what to do") {
  io.run([&]() -> task<> {
    auto const first = tcp_listener::listen(address::loopback(0));
    std::string const at = first.local_address().to_string();
    int const before = open_descriptors();
    try {
      tcp_listener::listen(first.local_address());
      FAIL("no exception");
    } catch (io_error const& e) {
      CHECK(e.code() == std::errc::address_in_use);
      CHECK(std::string(e.what()).find("listen on " + at) == 0);
      CHECK(std::string(e.what()).find("choose another port") != std::string::npos);
    }
    CHECK(open_descriptors() == before);
    co_return;
  });
}

IO_TEST("tcp: an address that is not this machine's says so") {
  io.run([&]() -> task<> {
    try {
      tcp_listener::listen(address("203.0.113.7", 0));
      FAIL("no exception");
    } catch (io_error const& e) {
      CHECK(e.code() == std::errc::address_not_available);
      CHECK(std::string(e.what()).find("no interface of this machine") != std::string::npos);
    }
    co_return;
  });
}

IO_TEST("tcp: two listeners share a port where both ask for it") {
  io.run([&]() -> task<> {
    auto first = tcp_listener::listen(address::loopback(0), {.reuse_port = true});
    auto second = tcp_listener::listen(first.local_address(), {.reuse_port = true});
    int served[2] = {0, 0};
    std::vector<peer> clients;
    for (int i = 0; i < 40; ++i) clients.push_back(peer::connect(first.local_address()));
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const count = [&g, &served](tcp_listener& listener, int which) -> task<> {
        for (;;) {
          auto const stream = co_await listener.accept();
          ++served[which];
          if (served[0] + served[1] == 40) g.cancel();
        }
      };
      g.spawn(count, std::ref(first), 0);
      g.spawn(count, std::ref(second), 1);
      co_await g.join();
    });
    CHECK(served[0] + served[1] == 40);
    CHECK(served[0] > 0);
    CHECK(served[1] > 0);
  });
}

IO_TEST("tcp: accept without descriptors waits without spinning, and recovers") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    std::vector<peer> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(peer::connect(listener.local_address()));
    std::vector<tcp_stream> accepted;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      plait::test::descriptor_famine famine(2);
      auto const accepting = g.spawn([&]() -> task<> {
        while (accepted.size() < 5) accepted.push_back(co_await listener.accept());
      });
      auto const begin = plait::clock::now();
      while (listener.exhausted() < 6) co_await turns(1);
      auto const took = plait::clock::now() - begin;
      std::size_t const before = accepted.size();
      famine.end();
      CHECK(took >= 155ms);  // 5, 10, 20, 40, 80 ms lie between six attempts
      CHECK(before == 2);
      co_await accepting;
    });
    CHECK(accepted.size() == 5);
    clients[4].send("x");
    CHECK(co_await first_bytes(accepted[4], 1) == "x");
  });
}

IO_TEST("tcp: an accept that waits for descriptors can be cancelled") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    peer const client = peer::connect(listener.local_address());
    plait::test::descriptor_famine famine;
    bool const nobody = co_await accepts_nobody(listener);
    famine.end();
    CHECK(nobody);
    auto const stream = co_await listener.accept();
    CHECK(stream.is_open());
  });
}

IO_TEST("tcp: clients that reset before they are accepted do not stop the listener") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    for (int round = 0; round < 10; ++round) {
      peer::connect(listener.local_address()).reset();
      peer client = peer::connect(listener.local_address());
      client.send("x");
      std::string got;
      while (got.empty()) {
        auto stream = co_await listener.accept();
        char into[1];
        auto const n = co_await plait::io::as_result(stream.read_some(into));
        if (n && *n == 1) got = into[0];
      }
      CHECK(got == "x");
    }
  });
}
