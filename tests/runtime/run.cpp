#include <plait/run.hpp>

#include "support/death.hpp"
#include "support/operations.hpp"

#include <plait/sleep.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using plait::task;
using plait::test::in_child;
using plait::testing::manual_scheduler;

TEST_CASE("run_on: it gives values, move-only values and references, and rethrows") {
  manual_scheduler m;
  int n = 1;
  auto const box = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(2); };
  auto const ref = [&]() -> task<int&> { co_return n; };
  auto const fails = []() -> task<> {
    co_await plait::yield();
    throw std::runtime_error("main failed");
  };
  CHECK(*plait::run_on(m.sched(), box()) == 2);
  CHECK(&plait::run_on(m.sched(), ref()) == &n);
  CHECK_THROWS_WITH(plait::run_on(m.sched(), fails()), "main failed");
  // The scheduler is usable afterwards.
  CHECK(*plait::run_on(m.sched(), box()) == 2);
  CHECK(m.sched().cancelled_scopes == 0);
}

TEST_CASE("run_on: it waits for the background tasks' cleanup before it returns") {
  manual_scheduler m;
  bool cleaned = false;
  auto const background = [&]() -> task<> {
    bool stopped = false;
    try {
      co_await plait::sleep_forever();
    } catch (plait::cancelled const&) {
      stopped = true;
    }
    if (stopped) co_await plait::shield([]() -> task<> { co_await plait::sleep_for(5ms); });
    cleaned = true;
  };
  m.run([&]() -> task<> {
    plait::scheduler::current().background().spawn(background);
    co_await plait::yield();
  });
  CHECK(cleaned);
}

TEST_CASE(
    "run_on: background tasks that spawn more while the program ends are waited for as well") {
  manual_scheduler m;
  int ended = 0;
  auto const last = [&]() -> task<> {
    ++ended;
    co_return;
  };
  auto const background = [&]() -> task<> {
    try {
      co_await plait::sleep_forever();
    } catch (plait::cancelled const&) {
      plait::scheduler::current().background().spawn(last);
      ++ended;
      throw;
    }
  };
  m.run([&]() -> task<> {
    plait::scheduler::current().background().spawn(background);
    co_await plait::yield();
  });
  CHECK(ended == 2);
}

TEST_CASE("run_on: a main task that is cancelled throws task_cancelled") {
  manual_scheduler m;
  auto const gives_up = []() -> task<> {
    co_await plait::yield();
    throw plait::cancelled("by hand", std::source_location::current());
  };
  CHECK_THROWS_AS(m.run(gives_up), plait::task_cancelled);
}

TEST_CASE("run: it makes a driver, runs the program and gives its value or exception") {
  int const got = plait::run([]() -> task<int> {
    co_await plait::sleep_for(1ms);
    co_return 12;
  });
  CHECK(got == 12);
  auto const fails = []() -> task<> {
    co_await plait::yield();
    throw std::runtime_error("program failed");
  };
  CHECK_THROWS_WITH(plait::run(fails), "program failed");
}

TEST_CASE("run: with argc and argv the task's int is the exit status") {
  char name[] = "program";
  char argument[] = "argument";
  char* argv[] = {name, argument, nullptr};
  std::string seen;
  int const status = plait::run(2, argv, [&](int argc, char** args) -> task<int> {
    for (int i = 0; i < argc; ++i) seen += args[i];
    co_return 4;
  });
  CHECK(status == 4);
  CHECK(seen == "programargument");
  CHECK(plait::run(2, argv, []() -> task<> { co_return; }) == 0);
}

TEST_CASE("run: with argc and argv an uncaught exception is printed and the status is 1") {
  auto const end = in_child([] {
    char name[] = "program";
    char* argv[] = {name, nullptr};
    int const status = plait::run(1, argv, []() -> task<> {
      throw std::runtime_error("out of luck");
      co_return;
    });
    std::_Exit(status);
  });
  CHECK(end.exited_with(1));
  CHECK(end.says("plait: uncaught exception: out of luck"));
}

TEST_CASE("run: PLAIT_DRIVER that names no driver is an error that names the choices") {
  auto const end = in_child([] {
    ::setenv("PLAIT_DRIVER", "nonsense", 1);
    plait::run([]() -> task<> { co_return; });
  });
  CHECK(end.exited_with(3));
  CHECK(end.says("nonsense"));
  CHECK(end.says("io_uring"));
  CHECK(end.says("epoll"));
}
