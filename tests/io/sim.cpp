#include <plait/testing/sim.hpp>

#include "support/sim_programs.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/serve.hpp>
#include <plait/io/tcp.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cerrno>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::cancel_scope;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::file;
using plait::io::file_mode;
using plait::io::io_error;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::testing::for_each_seed;
using plait::testing::run_sim;
using plait::testing::sim_options;
using plait::testing::sim_order;
using plait::testing::sim_run;
using plait::testing::sim_stuck;
using plait::test::ask;
using plait::test::echo;
using plait::test::echo_among;
using plait::test::text_of;

namespace {

struct observed {
  std::uint64_t trace;
  plait::duration elapsed;
};

observed observe(sim_options options) {
  sim_run world(options);
  world.run([] { return echo_among(3); });
  CHECK(world.open_descriptors() == 0);
  return {world.trace(), world.elapsed()};
}

}  // namespace

TEST_CASE("sim: every client gets its bytes back, whatever the seed") {
  CHECK_NOTHROW(for_each_seed(200, [] { return echo_among(4); }));
}

TEST_CASE("sim: the same seed gives the same run, another seed another one") {
  std::set<std::uint64_t> traces;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    observed const once = observe({.seed = seed});
    observed const again = observe({.seed = seed});
    CHECK(once.trace == again.trace);
    CHECK(once.elapsed == again.elapsed);
    traces.insert(once.trace);
  }
  CHECK(traces.size() == 50);
}

TEST_CASE("sim: an hour takes an hour of virtual time and no other") {
  sim_run world;
  world.run([]() -> task<> {
    co_await plait::with_task_group([](task_group& g) -> task<> {
      auto const nap = [](plait::duration d) -> task<> { co_await plait::sleep_for(d); };
      g.spawn(nap, plait::duration(1h));
      g.spawn(nap, plait::duration(30min));
      co_await g.join();
    });
  });
  CHECK(world.elapsed() >= 1h);
  CHECK(world.elapsed() < 1h + 1ms);
}

TEST_CASE("sim: a loop that watches the clock sees it move") {
  int turns = 0;
  run_sim([&]() -> task<> {
    auto const begin = plait::clock::now();
    for (; plait::clock::now() - begin < 100us; ++turns) co_await plait::yield();
  });
  CHECK(turns > 100);
}

TEST_CASE("sim: ready tasks run in many orders, or first in, first out") {
  auto const order_with = [](sim_options options) {
    std::string order;
    run_sim(
        [&]() -> task<> {
          co_await plait::with_task_group([&](task_group& g) -> task<> {
            auto const note = [&order](char name) -> task<> {
              order += name;
              co_return;
            };
            for (char const name : {'a', 'b', 'c', 'd'}) g.spawn(note, name);
            co_await g.join();
          });
        },
        options);
    return order;
  };
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) orders.insert(order_with({.seed = seed}));
  CHECK(orders.size() == 24);
  CHECK(order_with({.seed = 5, .order = sim_order::fifo}) == "abcd");
}

TEST_CASE("sim: a program in which nothing can happen any more is cancelled and says its seed") {
  bool cleaned_up = false;
  std::string why;
  try {
    run_sim(
        [&]() -> task<> {
          tcp_listener listener = tcp_listener::listen(address::loopback(7000));
          try {
            co_await listener.accept();
          } catch (plait::cancelled const&) {
            cleaned_up = true;
            throw;
          }
        },
        {.seed = 77});
  } catch (sim_stuck const& e) {
    why = e.what();
  }
  CHECK(cleaned_up);
  CHECK(why == "nothing can happen any more, and tasks wait: accept of descriptor 16777216 (seed 77)");
}

TEST_CASE("sim: a deadlock ends a program, and the exception tells who waits for whom") {
  std::string why;
  try {
    run_sim([]() -> task<> {
      plait::mutex accounts("accounts");
      auto const held = co_await accounts.lock();
      auto const again = co_await accounts.lock();
    });
  } catch (sim_stuck const& e) {
    why = e.what();
  }
  CHECK(why.starts_with("deadlock: a task waits for itself\n"));
  CHECK(why.find("for mutex \"accounts\", held by ") != std::string::npos);
}

TEST_CASE("sim: the time limit ends a program that goes on for ever") {
  auto const forever = []() -> task<> {
    for (;;) co_await plait::sleep_for(1min);
  };
  CHECK_THROWS_AS(run_sim(forever, {.time_limit = 1h}), sim_stuck);
}

TEST_CASE("sim: a value and an exception come out of a run") {
  CHECK(run_sim([]() -> task<int> { co_return 7; }) == 7);
  auto const fails = []() -> task<> {
    co_await plait::yield();
    throw std::runtime_error("as it is");
  };
  CHECK_THROWS_WITH(run_sim(fails), "as it is");
}

TEST_CASE("sim: nobody listens, and the connection is refused") {
  std::error_code code;
  run_sim([&]() -> task<> {
    try {
      co_await tcp_stream::connect(address::loopback(7001));
    } catch (io_error const& e) {
      code = e.code();
    }
  });
  CHECK(code == std::errc::connection_refused);
}

TEST_CASE("sim: a port that is taken is an error, and free again after the close") {
  std::error_code code;
  run_sim([&]() -> task<> {
    {
      tcp_listener const first = tcp_listener::listen(address::loopback(7000));
      try {
        tcp_listener::listen(address::loopback(7000));
      } catch (io_error const& e) {
        code = e.code();
      }
    }
    co_await plait::sleep_for(1s);
    tcp_listener const again = tcp_listener::listen(address::loopback(7000));
  });
  CHECK(code == std::errc::address_in_use);
}

TEST_CASE("sim: half-close, end of stream and reset arrive as from a kernel") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    std::string heard;
    std::error_code after_abort;
    run_sim(
        [&]() -> task<> {
          tcp_listener listener = tcp_listener::listen(address::loopback(7000));
          co_await plait::with_task_group([&](task_group& g) -> task<> {
            auto const server = [&]() -> task<> {
              tcp_stream peer = co_await listener.accept();
              std::array<char, 16> buffer;
              for (;;) {
                std::size_t const n = co_await peer.read_some(buffer);
                if (n == 0) break;
                heard.append(buffer.data(), n);
              }
              co_await peer.write_all("answer");
              tcp_stream second = co_await listener.accept();
              try {
                for (;;) co_await second.read_exactly(buffer);
              } catch (io_error const& e) {
                after_abort = e.code();
              }
            };
            g.spawn(server);
            tcp_stream stream = co_await tcp_stream::connect(address::loopback(7000));
            co_await stream.write_all("question");
            stream.shutdown(plait::io::shutdown_direction::write);
            std::string back(6, '\0');
            co_await stream.read_exactly(back);
            heard += " " + back;
            tcp_stream second = co_await tcp_stream::connect(address::loopback(7000));
            co_await second.write_all("x");
            second.abort();
            co_await g.join();
          });
        },
        {.seed = seed});
    CHECK(heard == "question answer");
    CHECK(after_abort == std::errc::connection_reset);
  }
}

TEST_CASE("sim: a read that is cancelled is cancelled or has its bytes, and none is lost") {
  int cancelled = 0;
  int completed = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    std::string got;
    run_sim(
        [&]() -> task<> {
          tcp_listener listener = tcp_listener::listen(address::loopback(7000));
          tcp_stream writer = co_await tcp_stream::connect(address::loopback(7000));
          tcp_stream reader = co_await listener.accept();
          std::array<char, 8> buffer;
          co_await plait::with_task_group([&](task_group& g) -> task<> {
            auto const write = [&]() -> task<> {
              co_await writer.write_all("12345678");
              writer.shutdown(plait::io::shutdown_direction::write);
            };
            g.spawn(write);
            bool const in_time = co_await plait::move_on_after(1ms, [&]() -> task<> {
              std::size_t const n = co_await reader.read_some(buffer);
              got.append(buffer.data(), n);
            });
            ++(in_time ? completed : cancelled);
            for (;;) {
              std::size_t const n = co_await reader.read_some(buffer);
              if (n == 0) break;
              got.append(buffer.data(), n);
            }
            co_await g.join();
          });
        },
        {.seed = seed});
    CHECK(got == "12345678");
  }
  CHECK(cancelled > 25);
  CHECK(completed > 25);
}

TEST_CASE("sim: files keep what was written, however reads and writes are split") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::string const text = text_of(5000, static_cast<unsigned>(seed));
    std::string back;
    run_sim(
        [&]() -> task<> {
          file written = co_await file::open("data", file_mode::create_new);
          co_await written.write_at(0, text);
          co_await written.close();
          file read = co_await file::open("data");
          CHECK(read.size() == text.size());
          std::array<char, 700> buffer;
          for (;;) {
            std::size_t const n = co_await read.read_at(back.size(), buffer);
            if (n == 0) break;
            back.append(buffer.data(), n);
          }
        },
        {.seed = seed});
    CHECK(back == text);
  }
}

TEST_CASE("sim: serve answers its clients and drains when it is cancelled") {
  auto const program = []() -> task<> {
    co_await plait::with_task_group([](task_group& g) -> task<> {
      tcp_listener listener = tcp_listener::listen(address::loopback(7000));
      cancel_scope* service = nullptr;
      auto const run_service = [&]() -> task<> {
        co_await plait::with_cancel_scope([&](cancel_scope& s) -> task<> {
          service = &s;
          co_await plait::io::serve(listener, echo);
        });
      };
      auto const served = g.spawn(run_service);
      for (int i = 0; i < 3; ++i) co_await ask(address::loopback(7000), text_of(500, 3));
      service->cancel();
      co_await served;
    });
  };
  CHECK_NOTHROW(for_each_seed(50, program));
}

namespace {

// A planted bug: it looks, does something else (a line for the log, say), and only then waits; a set
// in between is missed.
class careless_event {
 public:
  task<> wait() {
    if (set_) co_return;
    co_await plait::sleep_for(10us);
    co_await plait::with_cancel_scope([this](cancel_scope& s) -> task<> {
      waiter_ = &s;
      co_await plait::sleep_forever();
    });
  }
  void set() {
    set_ = true;
    if (waiter_ != nullptr) waiter_->cancel();
  }

 private:
  bool set_ = false;
  cancel_scope* waiter_ = nullptr;
};

task<> wait_for_a_message() {
  tcp_listener listener = tcp_listener::listen(address::loopback(7000));
  tcp_stream writer = co_await tcp_stream::connect(address::loopback(7000));
  tcp_stream reader = co_await listener.accept();
  careless_event arrived;
  co_await plait::with_task_group([&](task_group& g) -> task<> {
    auto const read = [&]() -> task<> {
      std::array<char, 1> byte;
      co_await reader.read_exactly(byte);
      arrived.set();
    };
    auto const write = [&]() -> task<> { co_await writer.write_all("x"); };
    g.spawn(read);
    g.spawn(write);
    co_await plait::sleep_for(1ms);
    co_await arrived.wait();
    co_await g.join();
  });
}

}  // namespace

TEST_CASE("sim: a planted lost wake-up is found in less than 1,000 seeds, and its seed repeats it") {
  std::optional<std::uint64_t> found;
  for (std::uint64_t seed = 1; seed < 1000 && !found; ++seed) {
    try {
      run_sim(wait_for_a_message, {.seed = seed});
    } catch (sim_stuck const&) {
      found = seed;
    }
  }
  REQUIRE(found.has_value());
  CHECK_THROWS_AS(run_sim(wait_for_a_message, {.seed = *found}), sim_stuck);
}
