#include <plait/testing/sim_process.hpp>

#include "support/death.hpp"
#include "support/sim_programs.hpp"

#include <plait/finally.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/serve.hpp>
#include <plait/io/tcp.hpp>
#include <plait/io/unix.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/sim.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <optional>
#include <set>
#include <string>
#include <system_error>

using namespace std::chrono_literals;
using plait::task;
using plait::io::address;
using plait::io::file;
using plait::io::file_mode;
using plait::io::io_error;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::test::ask;
using plait::test::echo;
using plait::test::text_of;
using plait::testing::sim_exit;
using plait::testing::sim_ledger;
using plait::testing::sim_process;
using plait::testing::sim_run;
using plait::testing::sim_stuck;
using kind = plait::testing::sim_exit::kind;

namespace {

address const server = address::loopback(7000);

// Runs it with each of the seeds; a world must be empty afterwards.
template <class Fn>
void with_seeds(std::uint64_t count, Fn const& fn) {
  std::string broken;
  for (std::uint64_t seed = 1; seed <= count && broken.empty(); ++seed) {
    sim_run world({.seed = seed});
    try {
      world.run(fn);
      if (world.ledger() != sim_ledger{}) broken = "something is left";
    } catch (std::exception const& e) {
      broken = e.what();
    }
    if (!broken.empty()) broken += ", seed " + std::to_string(seed);
  }
  CHECK(broken == "");
}

void require(bool holds, char const* what) {
  if (!holds) throw std::logic_error(what);
}

task<> service() {
  tcp_listener listener = tcp_listener::listen(server);
  co_await plait::io::serve(listener, echo);
}

plait::io::unix_address const path("socket");

task<tcp_stream> connect_at_last() {
  for (int tries = 0;; ++tries) {
    try {
      co_return co_await tcp_stream::connect(server);
    } catch (io_error const&) {
      if (tries == 1000) throw;
    }
    co_await plait::sleep_for(10ms);
  }
}

task<int> gives(int status) {
  co_await plait::sleep_for(1ms);
  co_return status;
}

task<> fails() {
  co_await plait::sleep_for(1ms);
  throw std::runtime_error("out of luck");
}

task<> ticks(int* count) {
  for (;;) {
    co_await plait::sleep_for(1s);
    ++*count;
  }
}

// How the peer sees the end of a process: what read_some says.
task<std::string> end_seen(tcp_stream& stream) {
  std::array<char, 100> buffer;
  try {
    for (;;) {
      std::size_t const n = co_await stream.read_some(buffer);
      if (n == 0) co_return "end";
    }
  } catch (io_error const& e) {
    if (e.code() == std::errc::connection_reset) co_return "reset";
    throw;
  }
}

}  // namespace

TEST_CASE("sim_process: a join tells how the process ended, as often as it is asked") {
  with_seeds(50, []() -> task<> {
    sim_process const good = sim_process::spawn(gives, 7);
    sim_process const bad = sim_process::spawn(fails);
    sim_process const plain = sim_process::spawn([]() -> task<> { co_await plait::yield(); });
    sim_process lost = sim_process::spawn(gives, 8);
    lost.kill();
    require(lost.has_ended() && !good.has_ended(), "who was killed has ended, and nobody else");
    for (int i = 0; i < 2; ++i) {
      sim_exit const one = co_await good.join();
      require(one.how == kind::exited && one.status == 7, "a status");
      sim_exit const two = co_await bad.join();
      require(two.how == kind::failed && two.what == "out of luck" && two.error != nullptr, "an exception");
      sim_exit const three = co_await plain.join();
      require(three.how == kind::exited && three.status == 0, "no status");
      sim_exit const four = co_await lost.join();
      require(four.how == kind::killed, "a kill");
      co_await plait::sleep_for(1min);
    }
  });
}

TEST_CASE("sim_process: a join that is cancelled leaves the process running") {
  with_seeds(50, []() -> task<> {
    int count = 0;
    sim_process p = sim_process::spawn(ticks, &count);
    auto const wait = [&]() -> task<> { co_await p.join(); };
    bool const ended = co_await plait::move_on_after(10'500ms, std::ref(wait));
    require(!ended && !p.has_ended() && count == 10, "it ran for ten seconds");
    p.kill();
    co_await p.join();
    co_await plait::sleep_for(1min);
    require(count == 10, "nothing of it runs any more");
  });
}

TEST_CASE("sim_process: a client of a killed process sees the end, or a reset where it had not read all") {
  for (bool const reads : {true, false}) {
    CAPTURE(reads);
    with_seeds(300, [reads]() -> task<> {
      auto const serve_one = [](bool all) -> task<> {
        tcp_listener listener = tcp_listener::listen(server);
        tcp_stream peer = co_await listener.accept();
        if (all) co_await echo(std::move(peer));
        co_await plait::sleep_forever();
      };
      sim_process p = sim_process::spawn(serve_one, reads);
      tcp_stream stream = co_await connect_at_last();
      co_await stream.write_all("hello");
      co_await plait::sleep_for(1s);
      p.kill();
      std::string const seen = co_await end_seen(stream);
      require(seen == (reads ? "end" : "reset"), "what the client saw");
      try {
        tcp_stream const none = co_await tcp_stream::connect(server);
        throw std::logic_error("somebody listens");
      } catch (io_error const& e) {
        require(e.code() == std::errc::connection_refused, "its listener refuses");
      }
    });
  }
}

TEST_CASE("sim_process: killed in the middle of anything it leaves nothing behind") {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    sim_run world({.seed = seed});
    world.run([&]() -> task<> {
      sim_process p = sim_process::spawn(service);
      tcp_stream stream = co_await connect_at_last();
      std::string const text = text_of(5000, 1);
      auto const talk = [&]() -> task<> {
        try {
          for (;;) {
            co_await stream.write_all(text);
            co_await plait::sleep_for(100us);
          }
        } catch (io_error const& e) {
          seen.insert(e.code() == std::errc::connection_reset ? "reset" : "broken pipe");
        }
      };
      auto const end_it = [&]() -> task<> {
        co_await plait::sleep_for(plait::duration(seed * 20'011));
        p.kill();
      };
      co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
        g.spawn(std::ref(talk));
        g.spawn(std::ref(end_it));
        co_await g.join();
      });
    });
    sim_ledger const left = world.ledger();
    CAPTURE(seed);
    CHECK(left == sim_ledger{});
  }
  CHECK(seen.count("reset") == 1);
}

TEST_CASE("sim_process: a UNIX socket's peer sees the end of a killed process") {
  with_seeds(100, []() -> task<> {
    plait::io::unix_listener listener = plait::io::unix_listener::listen(path);
    auto const client = []() -> task<> {
      plait::io::unix_stream const stream = co_await plait::io::unix_stream::connect(path);
      co_await plait::sleep_forever();
    };
    sim_process p = sim_process::spawn(client);
    plait::io::unix_stream peer = co_await listener.accept();
    co_await plait::sleep_for(1ms);
    p.kill();
    std::array<char, 8> buffer;
    std::size_t const n = co_await peer.read_some(buffer);
    require(n == 0, "the end");
  });
}

TEST_CASE("sim_process: a service that is started again on its port is found by a client that tries again") {
  with_seeds(100, []() -> task<> {
    sim_process p = sim_process::spawn(service);
    for (int i = 0; i < 3; ++i) {
      tcp_stream stream = co_await connect_at_last();
      co_await stream.write_all("?");
      std::array<char, 1> answer;
      co_await stream.read_exactly(answer);
      p.kill();
      std::string const seen = co_await end_seen(stream);
      require(seen != "", "it ends");
      p = sim_process::spawn(service);
    }
    tcp_stream const stream = co_await connect_at_last();
  });
}

TEST_CASE("sim_process: what it wrote and did not sync outlives its kill, and not always a power failure") {
  auto const writes = []() -> task<> {
    file data = co_await file::open("data", file_mode::create_new);
    co_await data.write_at(0, "written");
    co_await plait::sleep_forever();
  };
  auto const size = []() -> task<std::uint64_t> {
    try {
      file data = co_await file::open("data");
      co_return data.size();
    } catch (io_error const&) {
      co_return 0;
    }
  };
  std::set<std::uint64_t> after_kill;
  std::set<std::uint64_t> after_power;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    sim_run world({.seed = seed});
    after_kill.insert(world.run([&]() -> task<std::uint64_t> {
      sim_process p = sim_process::spawn(writes);
      co_await plait::sleep_for(1s);
      p.kill();
      co_return co_await size();
    }));
    world.lose_power();
    after_power.insert(world.run(size));
  }
  CHECK(after_kill == std::set<std::uint64_t>{7});
  CHECK(after_power.count(0) == 1);
}

TEST_CASE("sim_process: nothing of a paused process runs, and the world keeps what comes for it") {
  with_seeds(100, []() -> task<> {
    int count = 0;
    sim_process clock = sim_process::spawn(ticks, &count);
    sim_process echoes = sim_process::spawn(service);
    tcp_stream stream = co_await connect_at_last();
    co_await plait::sleep_for(1s);
    clock.pause();
    echoes.pause();
    int const before = count;
    co_await stream.write_all("kept");
    std::array<char, 4> got;
    auto const read = [&]() -> task<> { co_await stream.read_exactly(got); };
    bool const early = co_await plait::move_on_after(1min, std::ref(read));
    require(!early && count == before, "nothing ran");
    clock.resume();
    echoes.resume();
    co_await plait::sleep_for(500ms);
    require(count == before + 1, "the timer fired once");
    co_await stream.read_exactly(got);
    require(std::string_view(got.data(), 4) == "kept", "what came meanwhile is answered");
  });
}

TEST_CASE("sim_process: processes spawn processes, which end with the handle that their parent holds") {
  with_seeds(50, []() -> task<> {
    int count = 0;
    auto const parent = [](int* ticked) -> task<int> {
      sim_process const inner = sim_process::spawn(gives, 3);
      sim_exit const first = co_await inner.join();
      sim_process const other = sim_process::spawn(ticks, ticked);
      co_await plait::sleep_for(5'500ms);
      co_return first.status;
    };
    sim_process const p = sim_process::spawn(parent, &count);
    sim_exit const end = co_await p.join();
    require(end.status == 3 && count == 5, "the inner one ran, and ended");
    sim_process q = sim_process::spawn(parent, &count);
    co_await plait::sleep_for(3'500ms);
    q.kill();
    int const then = count;
    co_await plait::sleep_for(1min);
    require(then > 5 && count == then, "the kill of one ends what it has spawned");
  });
}

TEST_CASE("sim_process: a kill unwinds shields and cleanups at once, and what they do has no effect") {
  with_seeds(50, []() -> task<> {
    int cleaned = 0;
    auto const stubborn = [](int* done) -> task<> {
      auto const body = []() -> task<> {
        auto const wait = []() -> task<> { co_await plait::sleep_forever(); };
        co_await plait::shield(wait);
      };
      auto const cleanup = [done]() -> task<> {
        co_await plait::sleep_for(1s);
        ++*done;
        try {
          file const trace = co_await file::open("trace", file_mode::create_new);
          ++*done;
        } catch (io_error const&) {
        }
        sim_process const late = sim_process::spawn(ticks, done);
        co_await late.join();
      };
      co_await plait::finally(std::ref(body), std::ref(cleanup));
    };
    sim_process p = sim_process::spawn(stubborn, &cleaned);
    co_await plait::sleep_for(1s);
    plait::time_point const before = plait::scheduler::current().now();
    p.kill();
    require(p.has_ended() && cleaned == 1, "its cleanup ran");
    require(plait::scheduler::current().now() == before, "no time passed");
    bool found = true;
    try {
      file const trace = co_await file::open("trace");
    } catch (io_error const&) {
      found = false;
    }
    require(!found, "and did nothing to the world");
  });
}

TEST_CASE("sim_process: one that kills itself does nothing more") {
  with_seeds(50, []() -> task<> {
    std::optional<sim_process> p;
    int steps = 0;
    auto const suicide = [&]() -> task<> {
      tcp_listener const listener = tcp_listener::listen(server);
      ++steps;
      p->kill();
      co_await plait::yield();
      ++steps;
    };
    p = sim_process::spawn(std::ref(suicide));
    sim_exit const end = co_await p->join();
    require(end.how == kind::killed && steps == 1, "it ended there");
    tcp_listener const next = tcp_listener::listen(server);
  });
}

TEST_CASE("sim_process: the same seed gives the same run, and others give others") {
  auto const program = []() -> task<> {
    sim_process p = sim_process::spawn(service);
    tcp_stream const stream = co_await connect_at_last();
    auto const client = []() -> task<> { co_await ask(server, text_of(3000, 2)); };
    sim_process const other = sim_process::spawn(client);
    co_await other.join();
    p.kill();
    co_await plait::sleep_for(1s);
  };
  std::set<std::uint64_t> traces;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    sim_run once({.seed = seed});
    sim_run again({.seed = seed});
    once.run(program);
    again.run(program);
    CHECK(once.trace() == again.trace());
    traces.insert(once.trace());
  }
  CHECK(traces.size() == 10);
}

TEST_CASE("sim_process: where all are stuck the exception names them, and one that is stuck alone is none") {
  auto const stuck = []() -> task<> { co_await plait::sleep_forever(); };
  auto const program = [&](bool waits) -> task<> {
    sim_process const p = sim_process::spawn(stuck);
    sim_process const q = sim_process::spawn(service);
    co_await plait::sleep_for(1h);
    if (waits) co_await p.join();
  };
  sim_run patient;
  patient.run([&] { return program(false); });
  std::string why;
  sim_run impatient;
  try {
    impatient.run([&] { return program(true); });
  } catch (sim_stuck const& e) {
    why = e.what();
  }
  CHECK_THAT(why, Catch::Contains("process 1") && Catch::Contains("in process 2"));
  CHECK(impatient.ledger() == sim_ledger{});
}

TEST_CASE("sim_process: one that goes round without waiting for anything is stuck") {
  auto const spins = []() -> task<> {
    for (;;) co_await plait::yield();
  };
  auto const program = [&]() -> task<> {
    sim_process const p = sim_process::spawn(spins);
    co_await p.join();
  };
  sim_run world({.spin_limit = 1000});
  CHECK_THROWS_WITH(world.run(program), Catch::Contains("process 1 goes round"));
}

TEST_CASE("sim_process: a handle that outlives the run ends its process with the world") {
  std::optional<sim_process> p;
  int count = 0;
  {
    sim_run world;
    world.run([&]() -> task<> {
      p = sim_process::spawn(ticks, &count);
      co_await plait::sleep_for(10'500ms);
    });
    CHECK(!p->has_ended());
  }
  CHECK(p->has_ended());
  CHECK(count >= 10);
}

TEST_CASE("sim_process: it ends when its closed listener has let go of the accept that was under way") {
  auto const program = []() -> task<> {
    auto const service = []() -> task<> {
      tcp_listener listener = tcp_listener::listen(address::loopback(7000));
      co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
        auto const accept = [&]() -> task<> {
          try {
            tcp_stream const nobody = co_await listener.accept();
          } catch (io_error const&) {
          }
        };
        g.spawn(accept);
        co_await plait::sleep_for(1ms);
        listener.close();
        co_await g.join();
      });
    };
    sim_process const p = sim_process::spawn(service);
    sim_exit const end = co_await p.join();
    if (end.how != sim_exit::kind::exited) throw std::logic_error(end.what);
  };
  CHECK_NOTHROW(plait::testing::for_each_seed(50, program));
}
