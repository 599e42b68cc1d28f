#include <plait/testing/sim.hpp>

#include "support/sim_programs.hpp"

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
#include <functional>
#include <optional>
#include <set>
#include <string>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::file;
using plait::io::file_mode;
using plait::io::io_error;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::test::ask;
using plait::test::echo;
using plait::test::echo_among;
using plait::test::text_of;
using plait::testing::for_each_seed;
using plait::testing::run_sim;
using plait::testing::sim_options;
using plait::testing::sim_order;
using plait::testing::sim_run;
using plait::testing::sim_stuck;

namespace {

constexpr int clients_max = 10;

// How many of ten clients get through to a server that accepts one of them and has room for one more.
int connected_to_a_full_server(sim_options options) {
  int connected = 0;
  auto const knock = [&]() -> task<> {
    tcp_stream const stream = co_await tcp_stream::connect(address::loopback(7000));
    ++connected;
    co_await plait::sleep_forever();
  };
  auto const program = [&]() -> task<> {
    tcp_listener listener = tcp_listener::listen(address::loopback(7000), {.backlog = 1});
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < clients_max; ++i) g.spawn(knock);
      tcp_stream const first = co_await listener.accept();
      co_await plait::sleep_for(100s);
      g.cancel();
      co_await g.join();
    });
  };
  run_sim(program, options);
  return connected;
}

// Ten writes of a byte each, that are cancelled before the driver's next turn; how many took place.
int written_though_cancelled(sim_options options) {
  std::array<bool, 10> done{};
  std::string content(done.size(), '\0');
  auto const write = [&](file& f, std::size_t i) -> task<> {
    char const byte = 'x';
    co_await f.write_at(i, {&byte, 1});
    done[i] = true;
  };
  auto const program = [&]() -> task<> {
    file f = co_await file::open("data", file_mode::create_new);
    co_await f.write_at(0, std::string(done.size(), '-'));
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (std::size_t i = 0; i < done.size(); ++i) g.spawn(write, std::ref(f), i);
      co_await plait::yield();
      g.cancel();
      co_await g.join();
    });
    file back = co_await file::open("data");
    for (std::size_t had = 0; had < content.size();) {
      had += co_await back.read_at(had, {content.data() + had, content.size() - had});
    }
  };
  run_sim(program, options);
  int count = 0;
  for (std::size_t i = 0; i < done.size(); ++i) {
    CHECK(done[i] == (content[i] == 'x'));
    count += done[i] ? 1 : 0;
  }
  return count;
}

}  // namespace

TEST_CASE("sim answers: one accept gives many connections, of which none is lost when it is cancelled") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    int accepted = 0;
    auto const program = [&]() -> task<> {
      tcp_listener listener = tcp_listener::listen(address::loopback(7000));
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        for (int i = 0; i < clients_max; ++i) g.spawn(ask, address::loopback(7000), text_of(100, 1));
        auto const accept = [&]() -> task<> {
          tcp_stream peer = co_await listener.accept();
          ++accepted;
          g.spawn(echo, std::move(peer));
        };
        while (accepted < clients_max) co_await plait::move_on_after(300us, accept);
        co_await g.join();
      });
    };
    sim_run world({.seed = seed, .many_accepts = 1});
    world.run(program);
    CHECK(accepted == clients_max);
    CHECK(world.open_descriptors() == 0);
  }
}

TEST_CASE("sim answers: connections land before they are accepted, where one submission gives many") {
  int one_by_one = 0;
  int many = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    one_by_one += connected_to_a_full_server({.seed = seed, .many_accepts = 0}) < clients_max ? 1 : 0;
    many += connected_to_a_full_server({.seed = seed, .many_accepts = 1}) == clients_max ? 1 : 0;
  }
  CHECK(one_by_one == 50);
  CHECK(many > 5);  // where it has not ended by itself
  CHECK(many < 50);
}

TEST_CASE("sim answers: what is cancelled in the driver's backlog never reaches the world") {
  int with_room = 0;
  int in_backlog = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    sim_options options{.seed = seed, .order = sim_order::fifo, .missing_opcodes = 0};
    with_room += written_though_cancelled(options);
    options.queue_entries = 1;
    in_backlog += written_though_cancelled(options);
  }
  CHECK(in_backlog > 0);
  CHECK(in_backlog * 4 < with_room * 3);
}

TEST_CASE("sim answers: a small queue and completions in batches hold nothing up for ever") {
  sim_options const narrow{.queue_entries = 1, .completion_grid = 1ms};
  CHECK_NOTHROW(for_each_seed(50, [] { return echo_among(4); }, narrow));
}

TEST_CASE("sim answers: completions come in batches") {
  constexpr plait::duration grid = 1ms;
  int in_batches = 0;
  int between = 0;
  auto const program = [&]() -> task<> {
    file f = co_await file::open("data", file_mode::create_new);
    for (int i = 0; i < 50; ++i) {
      auto const begin = plait::clock::now();
      co_await f.write_at(0, "x");
      auto const end = plait::clock::now();
      if (end - begin < 1us) continue;  // done at once
      (end.time_since_epoch() % grid < 1us ? in_batches : between)++;
    }
  };
  run_sim(program, {.interrupted = 0, .missing_opcodes = 0, .completion_grid = grid});
  CHECK(in_batches > 20);
  CHECK(between == 0);
}

TEST_CASE("sim answers: an operation that has to wait says EAGAIN, and nobody sees it") {
  sim_options const hasty{.seed = 3, .wrong_again = 0.8};
  CHECK_NOTHROW(for_each_seed(30, [] { return echo_among(3); }, hasty));
  auto const trace_with = [](double wrong_again) {
    sim_run world({.seed = 3, .wrong_again = wrong_again});
    world.run([] { return echo_among(3); });
    return world.trace();
  };
  CHECK(trace_with(0.8) != trace_with(0));
}

TEST_CASE("sim answers: kinds of operations that the ring lacks are tried at once") {
  auto const all_at_once = [](double missing) {
    bool at_once = true;
    auto const program = [&]() -> task<> {
      file f = co_await file::open("data", file_mode::create_new);
      auto const begin = plait::clock::now();
      for (int i = 0; i < 20; ++i) co_await f.write_at(0, "x");
      at_once = plait::clock::now() - begin < 5us;
    };
    run_sim(program, {.interrupted = 0, .missing_opcodes = missing});
    return at_once;
  };
  CHECK(all_at_once(1));
  CHECK_FALSE(all_at_once(0));
  CHECK_NOTHROW(for_each_seed(50, [] { return echo_among(4); }, {.missing_opcodes = 0.5}));
}

TEST_CASE("sim answers: descriptors and memory run out now and then, and a service goes on") {
  std::set<int> seen;
  auto const patient = [&](std::string text) -> task<> {
    for (;;) {
      try {
        co_await ask(address::loopback(7000), text);
        co_return;
      } catch (io_error const& e) {
        seen.insert(e.code().value());
      }
    }
  };
  auto const program = [&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      std::optional<tcp_listener> listener;
      while (!listener) {
        try {
          listener.emplace(tcp_listener::listen(address::loopback(7000)));
        } catch (io_error const&) {
        }
      }
      auto const serve = [&]() -> task<> { co_await plait::io::serve(*listener, echo); };
      g.spawn(serve);
      co_await plait::with_task_group([&](task_group& clients) -> task<> {
        for (unsigned i = 0; i < 3; ++i) clients.spawn(patient, text_of(300, i));
        co_await clients.join();
      });
      g.cancel();
      co_await g.join();
    });
  };
  CHECK_NOTHROW(for_each_seed(50, program, {.exhausted = 0.3}));
  CHECK(seen == std::set<int>{EMFILE, ENFILE, ENOBUFS, ENOMEM});
}

TEST_CASE("sim: a stuck program says which operations wait, and how many") {
  auto const program = []() -> task<> {
    tcp_listener listener = tcp_listener::listen(address::loopback(7000));
    tcp_stream client = co_await tcp_stream::connect(address::loopback(7000));
    tcp_stream server = co_await listener.accept();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const read = [](tcp_stream& from) -> task<> {
        std::array<char, 1> byte;
        co_await from.read_some(byte);
      };
      g.spawn(read, std::ref(client));
      g.spawn(read, std::ref(server));
      co_await g.join();
    });
  };
  CHECK_THROWS_WITH(run_sim(program, {.many_accepts = 0}),
                    "nothing can happen any more, and tasks wait: read of descriptor 16777217, "
                    "read of descriptor 16777218 (seed 1)");
}

TEST_CASE("sim: a program that goes round without waiting is stuck as well") {
  auto const spin = []() -> task<> {
    for (;;) co_await plait::yield();
  };
  CHECK_THROWS_WITH(run_sim(spin), Catch::StartsWith("the program goes round without waiting"));
}
