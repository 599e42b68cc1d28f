#include <plait/testing/catch.hpp>
#include <plait/testing/run_case.hpp>

#include "support/death.hpp"

#include <plait/clock.hpp>
#include <plait/io/tcp.hpp>
#include <plait/scheduler.hpp>
#include <plait/sleep.hpp>
#include <plait/testing/sim.hpp>

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::io::address;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::testing::leak_found;
using plait::testing::run_case;
using plait::testing::run_sim_case;
using plait::testing::seeds_to_run;

namespace {

int left = -1;

std::string what_is_left(task<> (*body)()) {
  try {
    run_case(body);
  } catch (leak_found const& e) {
    return e.what();
  }
  return "";
}

bool has(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

PLAIT_TEST_CASE("catch: the body is a coroutine on a kernel driver", "[io][catch]") {
  tcp_listener listener = tcp_listener::listen(address::loopback(0));
  tcp_stream client = co_await tcp_stream::connect(listener.local_address());
  co_await client.write_all("x");
  CHECK(plait::scheduler::current().io().does_io());
  CHECK(plait::scheduler::current().io().name() != "sim");
}

PLAIT_TEST_CASE("catch: the tags may be left out") {
  co_await plait::yield();
  SUCCEED("it ran");
}

PLAIT_SIM_TEST_CASE("catch: an hour passes in simulation", 20) {
  plait::time_point const begin = plait::clock::now();
  co_await plait::sleep_for(1h);
  CHECK(plait::clock::now() - begin >= 1h);
  CHECK(plait::scheduler::current().io().name() == "sim");
}

TEST_CASE("catch: what a body throws comes out, on both kinds of driver") {
  auto const fails = []() -> task<> {
    co_await plait::yield();
    throw std::out_of_range("its own");
  };
  CHECK_THROWS_AS(run_case(fails), std::out_of_range);
  CHECK_THROWS_AS(run_sim_case(fails, 1), std::out_of_range);
  auto const stuck = []() -> task<> { co_await plait::sleep_forever(); };
  CHECK_THROWS_AS(run_sim_case(stuck, 1), plait::testing::sim_stuck);
}

TEST_CASE("catch: a descriptor and a zombie that are left fail the case, with their names") {
  std::string const descriptor = what_is_left([]() -> task<> {
    left = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    co_await plait::yield();
  });
  ::close(left);
  CHECK(has(descriptor, "the test case left something behind"));
  CHECK(has(descriptor, "/dev/null"));
  std::string const zombie = what_is_left([]() -> task<> {
    left = ::fork();
    if (left == 0) ::_exit(0);
    co_await plait::yield();
  });
  ::waitpid(left, nullptr, 0);
  CHECK(has(zombie, std::to_string(left)));
  CHECK(what_is_left([]() -> task<> { co_await plait::yield(); }) == "");
}

TEST_CASE("catch: the seeds are 1 to n, or PLAIT_SEED alone") {
  CHECK(seeds_to_run(3) == std::vector<std::uint64_t>{1, 2, 3});
  auto const chosen = plait::test::in_child([] {
    ::setenv("PLAIT_SEED", "0x1f", 1);
    bool const right = seeds_to_run(3) == std::vector<std::uint64_t>{31};
    ::_exit(right ? 0 : 1);
  });
  CHECK(chosen.exited_with(0));
}
