// Process pools whose jobs are cancelled, and whose system calls fail.
#include <plait/process_pool.hpp>

#include "failing_calls.hpp"
#include "fifo.hpp"
#include "watched.hpp"

#include <plait/cancel.hpp>
#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <fstream>
#include <optional>
#include <unistd.h>

using namespace plait;
using test::fifo;

namespace {

int doubled(int n) { return 2 * n; }

void wait_to_be_killed(std::string const& running) {
  test::say(running, ::getpid());
  for (;;) ::pause();
}

int wait_to_go_on(std::string const& running, std::string const& go_on) {
  test::say(running, ::getpid());
  return test::hear(go_on);
}

void leave_a_trace(std::string const& path) { std::ofstream(path) << "ran"; }
bool has_trace(std::string const& path) { return std::ifstream(path).good(); }

template <class Fn>
auto run_here(Fn fn) {
  return plait::run(std::ref(fn));
}

}  // namespace

TEST_CASE("process pool: cancelling a running job kills its worker, which is replaced") {
  run_here([]() -> task<> {
    fifo running;
    process_pool pool({.workers = 1});
    bool dead_by_then = false;
    std::optional<test::watched> victim;
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        try {
          co_await pool.run(wait_to_be_killed, running.path());
        } catch (cancelled const&) {
          dead_by_then = victim->has_ended();
          throw;
        }
      });
      victim.emplace(co_await running.next());
      g.cancel();
      co_await g.join();
    });
    CHECK(dead_by_then);
    CHECK(co_await pool.run(doubled, 2) == 4);
    CHECK(pool.stats().restarts == 1);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: cancelling by policy never counts as a worker's fault") {
  run_here([]() -> task<> {
    fifo running;
    process_pool pool({.workers = 1, .restarts = {.deaths = 0}});
    for (int i = 0; i < 10; ++i) {
      co_await with_task_group([&](task_group& g) -> task<> {
        g.spawn([&]() -> task<> { co_await pool.run(wait_to_be_killed, running.path()); });
        co_await running.next();
        g.cancel();
      });
    }
    CHECK(co_await pool.run(doubled, 2) == 4);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a timeout ends a job that would not end") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    co_await pool.start();
    bool timed = false;
    try {
      co_await with_timeout(std::chrono::milliseconds(20), pool.run([] {
        for (;;) ::pause();
      }));
    } catch (timed_out const&) {
      timed = true;
    }
    CHECK(timed);
    CHECK(co_await pool.run(doubled, 2) == 4);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: with the policy to finish, a cancelled job's value is delivered") {
  run_here([]() -> task<> {
    fifo running;
    fifo go_on;
    process_pool pool({.workers = 1, .on_cancel = cancel_policy::finish});
    int value = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        value = co_await pool.run(wait_to_go_on, running.path(), go_on.path());
      });
      co_await running.next();
      g.cancel();
      go_on.send(17);
      co_await g.join();
    });
    CHECK(value == 17);
    CHECK(pool.stats().restarts == 0);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: cancelled jobs that have not begun never run, wherever they wait") {
  run_here([]() -> task<> {
    fifo running;
    fifo go_on;
    process_pool pool({.workers = 1});
    std::vector<std::string> traces;
    for (int i = 0; i < 4; ++i) traces.push_back(running.path() + ".trace" + std::to_string(i));
    int cancelled_jobs = 0;
    pid_t worker = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await pool.run(wait_to_go_on, running.path(), go_on.path()); });
      worker = co_await running.next();
      co_await with_task_group([&](task_group& waiting) -> task<> {
        for (std::string const& trace : traces) {  // the first one waits in the worker, the others here
          waiting.spawn([&](std::string const& path) -> task<> {
            try {
              co_await pool.run(leave_a_trace, path);
            } catch (cancelled const&) {
              ++cancelled_jobs;
              throw;
            }
          }, trace);
        }
        for (int i = 0; i < 10; ++i) co_await yield();
        waiting.cancel();
        co_await waiting.join();  // although the worker is busy
      });
      go_on.send();
      co_await g.join();
    });
    CHECK(cancelled_jobs == 4);
    CHECK(pool.worker_pids() == std::vector<pid_t>{worker});
    CHECK(co_await pool.run(doubled, 2) == 4);  // behind whatever was skipped
    int ran = 0;
    for (std::string const& trace : traces) ran += has_trace(trace) ? 1 : 0;
    CHECK(ran == 0);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a large job cancelled while it is being sent never runs") {
  run_here([]() -> task<> {
    fifo running;
    fifo go_on;
    process_pool pool({.workers = 1});
    std::string const trace = running.path() + ".trace";
    auto const job = [](std::string path, std::string) { leave_a_trace(path); };
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await pool.run(wait_to_go_on, running.path(), go_on.path()); });
      co_await running.next();
      co_await with_task_group([&](task_group& waiting) -> task<> {
        waiting.spawn([&]() -> task<> { co_await pool.run(job, trace, std::string(4 << 20, 'x')); });
        for (int i = 0; i < 10; ++i) co_await yield();
        waiting.cancel();
        co_await waiting.join();
      });
      go_on.send();
      co_await g.join();
    });
    CHECK(co_await pool.run(doubled, 2) == 4);
    CHECK_FALSE(has_trace(trace));
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: jobs behind a killed one go to its worker's successor") {
  run_here([]() -> task<> {
    fifo running;
    process_pool pool({.workers = 1});
    int sum = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      co_await with_task_group([&](task_group& stuck) -> task<> {
        stuck.spawn([&]() -> task<> { co_await pool.run(wait_to_be_killed, running.path()); });
        co_await running.next();
        for (int i = 0; i < 5; ++i) {
          g.spawn([&](int n) -> task<> { sum += co_await pool.run(doubled, n); }, i);
        }
        for (int i = 0; i < 5; ++i) co_await yield();
        stuck.cancel();
      });
      co_await g.join();
    });
    CHECK(sum == 20);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: jobs that race with their cancellation ran once or never") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 2});
    co_await pool.start();
    int delivered = 0;
    int stopped = 0;
    for (int round = 0; round < 60; ++round) {
      co_await with_task_group([&](task_group& g) -> task<> {
        for (int i = 0; i < 6; ++i) {
          g.spawn([&](int n) -> task<> {
            int value = -1;
            try {
              value = co_await pool.run(doubled, n);
            } catch (cancelled const&) {
              ++stopped;
              throw;
            }
            if (value == 2 * n) ++delivered;
          }, i);
        }
        for (int i = 0; i < round; ++i) co_await yield();
        g.cancel();
      });
    }
    CHECK(delivered + stopped == 60 * 6);
    CHECK(co_await pool.run(doubled, 2) == 4);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a cancelled start or shutdown leaves a pool that can be destroyed") {
  run_here([]() -> task<> {
    fifo running;
    process_pool pool({.workers = 2});
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await pool.start(); });
      co_await yield();
      g.cancel();
    });
    CHECK(co_await pool.run(doubled, 2) == 4);
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await pool.run(wait_to_be_killed, running.path()); });
      co_await running.next();
      co_await with_task_group([&](task_group& closing) -> task<> {
        closing.spawn([&]() -> task<> { co_await pool.shutdown(); });
        co_await yield();
        closing.cancel();
      });
      CHECK_THROWS_AS(co_await pool.run(doubled, 1), process_pool_closed);
      g.cancel();
    });
  });
}

TEST_CASE("process pool: the program may end while its pool is at work") {
  fifo running;
  run_here([&]() -> task<> {
    auto const worker = [](std::string path) -> task<> {
      process_pool pool({.workers = 2});
      co_await pool.run(wait_to_be_killed, path);
    };
    scheduler::current().background().spawn(worker, running.path());
    co_await running.next();
  });
  SUCCEED("the ledger counts what is left");
}

TEST_CASE("process pool: any of its system calls may fail") {
  int failed_runs = 0;
  bool complete = false;
  for (int n = 0; n < 60 && !complete; ++n) {
    test::failing_calls calls(n);
    auto driver = std::make_unique<test::driver_with_calls>(make_driver(), calls);
    scheduler s(std::move(driver));
    bool refused = false;
    int value = 0;
    run_on(s, [](int& to, bool& error) -> task<> {
      process_pool pool({.workers = 1, .restarts = {.deaths = 1, .delay = std::chrono::milliseconds(1)}});
      try {
        to = co_await pool.run(doubled, 4);
        co_await pool.shutdown();
      } catch (std::exception const&) {
        error = true;
      }
    }(value, refused));
    failed_runs += calls.has_failed() ? 1 : 0;
    complete = !calls.has_failed();
    if (!refused && value != 8) FAIL("call " << n << " failed, and the job gave " << value);
  }
  CHECK(complete);
  CHECK(failed_runs > 8);
}

TEST_CASE("process pool: where nothing can be started it says what to do") {
  test::failing_calls calls(0, true);
  scheduler s(std::make_unique<test::driver_with_calls>(make_driver(), calls));
  std::string why;
  run_on(s, [](std::string& to) -> task<> {
    process_pool pool({.workers = 2, .restarts = {.deaths = 2, .delay = std::chrono::milliseconds(1)}});
    try {
      co_await pool.run(doubled, 4);
    } catch (broken_process_pool const& e) {
      to = e.what();
    }
  }(why));
  CHECK(why.find("ulimit -n") != std::string::npos);
}
