#include <plait/testing/sim_rules.hpp>

#include "support/death.hpp"
#include "support/sim_programs.hpp"

#include <plait/io/error.hpp>
#include <plait/io/serve.hpp>
#include <plait/io/tcp.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/sim.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <set>
#include <string>
#include <system_error>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::io_error;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::test::ask;
using plait::test::echo;
using plait::test::echo_among;
using plait::test::text_of;
using plait::testing::for_each_seed;
using plait::testing::run_sim;
using plait::testing::sim_latency;
using plait::testing::sim_options;
using plait::testing::sim_order;
using plait::testing::sim_rule;
using plait::testing::sim_run;
using plait::testing::sim_way;

namespace {

address const server = address::loopback(7000);

// A connection over which the client asks, once a second, and the server answers. The rule is there from the
// third to the thirteenth second. How many answers came in time then, and after it.
struct answers {
  int during = 0;
  int after = 0;
};

template <class MakeRule>
answers under_a_rule(std::uint64_t seed, MakeRule make_rule) {
  answers got;
  auto const program = [&]() -> task<> {
    tcp_listener listener = tcp_listener::listen(server);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const serve = [&]() -> task<> { co_await plait::io::serve(listener, echo); };
      g.spawn(serve);
      tcp_stream stream = co_await tcp_stream::connect(server);
      auto const begin = plait::clock::now();
      auto const disturb = [&]() -> task<> {
        co_await plait::sleep_for(2500ms);
        sim_rule const rule = make_rule();
        co_await plait::sleep_for(10s);
      };
      g.spawn(disturb);
      for (int i = 1; i <= 20; ++i) {
        co_await plait::sleep_until(begin + i * 1s);
        co_await stream.write_all("x");
        std::array<char, 1> back;
        co_await stream.read_exactly(back);
        auto const second = (plait::clock::now() - begin) / 1s;
        ++(second >= 3 && second < 12 ? got.during : got.after);
      }
      g.cancel();
      co_await g.join();
    });
  };
  run_sim(program, {.seed = seed});
  return got;
}

}  // namespace

TEST_CASE("sim rules: nothing gets through a partition, and all of it when it has healed") {
  for (sim_way const way : {sim_way::both, sim_way::towards, sim_way::away}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      answers const got = under_a_rule(seed, [way] { return sim_rule::partition(server, way); });
      CHECK(got.during == 0);
      CHECK(got.after == 20);
    }
  }
}

TEST_CASE("sim rules: a clog holds what is sent until it is gone") {
  for (sim_way const way : {sim_way::both, sim_way::towards, sim_way::away}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      answers const got = under_a_rule(seed, [way] { return sim_rule::clog(server, way); });
      CHECK(got.during == 0);
      CHECK(got.after == 20);
    }
  }
}

TEST_CASE("sim rules: a rule of another port or host disturbs nobody") {
  answers const port = under_a_rule(1, [] { return sim_rule::partition(address::loopback(7001)); });
  CHECK(port.during == 9);
  answers const host = under_a_rule(1, [] { return sim_rule::partition(address("10.0.0.1", 0)); });
  CHECK(host.during == 9);
  answers const all_ports = under_a_rule(1, [] { return sim_rule::partition(address::loopback(0)); });
  CHECK(all_ports.during == 0);
}

TEST_CASE("sim rules: a slow link is slow each way") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    answers const got = under_a_rule(seed, [] { return sim_rule::slow(server, 5s); });
    CHECK(got.during == 0);
    CHECK(got.after == 20);
  }
}

TEST_CASE("sim rules: a breaking link resets its connections") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::error_code code;
    try {
      under_a_rule(seed, [] { return sim_rule::reset(server); });
    } catch (io_error const& e) {
      code = e.code();
    }
    CHECK((code == std::errc::connection_reset || code == std::errc::broken_pipe));
  }
}

TEST_CASE("sim rules: who connects during a partition gets through after it, or gives up") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    bool in_time = true;
    bool later = false;
    auto const program = [&]() -> task<> {
      tcp_listener listener = tcp_listener::listen(server);
      auto const connect = []() -> task<> { co_await tcp_stream::connect(server); };
      sim_rule cut = sim_rule::partition(server);
      in_time = co_await plait::move_on_after(5s, connect);
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        auto const patient = [&]() -> task<> {
          co_await tcp_stream::connect(server);
          later = true;
        };
        g.spawn(patient);
        co_await plait::sleep_for(5s);
        cut.end();
        co_await g.join();
      });
    };
    run_sim(program, {.seed = seed});
    CHECK_FALSE(in_time);
    CHECK(later);
  }
}

TEST_CASE("sim rules: rules that come and go hold nothing up for ever") {
  auto const program = []() -> task<> {
    co_await plait::with_task_group([](task_group& g) -> task<> {
      auto const clients = []() -> task<> { co_await echo_among(4); };
      auto const flap = []() -> task<> {
        for (int i = 0; i < 5; ++i) {
          sim_rule const cut = sim_rule::partition(server, i % 2 == 0 ? sim_way::towards : sim_way::away);
          sim_rule const clog = sim_rule::clog(server);
          co_await plait::sleep_for(1ms);
        }
      };
      g.spawn(clients);
      g.spawn(flap);
      co_await g.join();
    });
  };
  CHECK_NOTHROW(for_each_seed(100, program, {.time_limit = 1h}));
}

TEST_CASE("sim rules: one outside of a simulated program stops the program") {
  auto const end = plait::test::in_child([] { sim_rule const nowhere = sim_rule::partition(server); });
  CHECK(end.aborted());
  CHECK(end.says("outside of a simulated program"));
}

TEST_CASE("sim swarm: a profile repeats itself, and the profiles differ") {
  std::set<std::uint64_t> traces;
  std::set<sim_order> orders;
  std::set<sim_latency> shapes;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto const trace = [seed] {
      sim_run world(sim_options::gentle_swarm(seed));
      world.run([] { return echo_among(2); });
      return world.trace();
    };
    std::uint64_t const once = trace();
    CHECK(once == trace());
    traces.insert(once);
    orders.insert(sim_options::swarm(seed).order);
    shapes.insert(sim_options::swarm(seed).latency_shape);
  }
  CHECK(traces.size() == 20);
  CHECK(orders.size() == 3);
  CHECK(shapes.size() == 3);
}

TEST_CASE("sim swarm: every client gets its bytes back, whatever the profile") {
  CHECK_NOTHROW(for_each_seed(60, [] { return echo_among(4); }, sim_options::gentle_swarm));
}

TEST_CASE("sim swarm: clients that try again get through, whatever breaks") {
  int failed = 0;
  auto const stubborn = [&](unsigned which) -> task<> {
    for (;;) {
      try {
        co_await ask(server, text_of(200, which));
        co_return;
      } catch (std::exception const&) {  // also an echo that ends too soon
        ++failed;
      }
      co_await plait::sleep_for(10ms);
    }
  };
  auto const listen = []() -> task<tcp_listener> {
    for (;;) {
      try {
        co_return tcp_listener::listen(server);
      } catch (io_error const&) {
      }
      co_await plait::sleep_for(10ms);
    }
  };
  auto const program = [&]() -> task<> {
    tcp_listener listener = co_await listen();
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const serve = [&]() -> task<> { co_await plait::io::serve(listener, echo); };
      g.spawn(serve);
      co_await plait::with_task_group([&](task_group& clients) -> task<> {
        for (unsigned i = 0; i < 3; ++i) clients.spawn(stubborn, i);
        co_await clients.join();
      });
      g.cancel();
      co_await g.join();
    });
  };
  CHECK_NOTHROW(for_each_seed(60, program, sim_options::swarm));
  CHECK(failed > 0);
}
