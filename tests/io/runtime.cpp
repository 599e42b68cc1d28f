// Several schedulers, each on its own thread: runtime, on, spawn_on.
#include <plait/runtime.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/on.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using plait::on;
using plait::scheduler;
using plait::task;
using plait::task_group;
using plait::test::turns;

namespace {

plait::runtime_options with_threads(unsigned threads, plait::driver_options const& driver) {
  return {.threads = threads, .driver = driver, .name = "test"};
}

task<std::thread::id> thread_here() {
  co_await plait::yield();
  co_return std::this_thread::get_id();
}

task<std::string> longer(std::string text) {
  co_await turns();
  co_return text + " and back";
}

task<int> failing() {
  co_await plait::yield();
  throw std::runtime_error("failed over there");
}

// Until it is cancelled; says so.
task<> wait_for_the_end(std::atomic<int>& ended) {
  try {
    co_await plait::sleep_forever();
  } catch (plait::cancelled const&) {
    ended.fetch_add(1);
    throw;
  }
}

}  // namespace

IO_TEST("runtime: every scheduler has a thread of its own, and `on` runs a task there") {
  plait::runtime rt(with_threads(3, io.options));
  CHECK(rt.size() == 3);
  auto const ids = rt.run([&]() -> task<std::set<std::thread::id>> {
    std::set<std::thread::id> found;
    for (unsigned i = 0; i < rt.size(); ++i) found.insert(co_await on(rt.at(i), thread_here));
    std::thread::id const here = co_await thread_here();
    CHECK(here == std::this_thread::get_id());
    co_return found;
  });
  CHECK(ids.size() == 3);
  CHECK(ids.count(std::this_thread::get_id()) == 1);
}

IO_TEST("on: arguments and value go there and back, also those that can only be moved") {
  plait::runtime rt(with_threads(2, io.options));
  rt.run([&]() -> task<> {
    std::string const text = co_await on(rt.at(1), longer, std::string("there"));
    CHECK(text == "there and back");
    auto const take = [](std::unique_ptr<int> n) -> task<std::unique_ptr<int>> {
      ++*n;
      co_return n;
    };
    auto const n = co_await on(rt.at(1), take, std::make_unique<int>(6));
    CHECK(*n == 7);
  });
}

IO_TEST("on: an exception comes back, and so does one from the call itself") {
  plait::runtime rt(with_threads(2, io.options));
  rt.run([&]() -> task<> {
    CHECK_THROWS_WITH(co_await on(rt.at(1), failing), "failed over there");
    auto const no_task = []() -> task<int> { throw std::logic_error("no task"); };
    auto const thrown_by_call = [&]() -> task<int> { return no_task(); };
    CHECK_THROWS_WITH(co_await on(rt.at(1), thrown_by_call), "no task");
  });
}

IO_TEST("on: cancelling the await cancels the task over there, and waits for it") {
  plait::runtime rt(with_threads(2, io.options));
  std::atomic<int> ended{0};
  rt.run([&]() -> task<> {
    bool const completed =
        co_await plait::move_on_after(1ms, [&]() -> task<> {
          co_await on(rt.at(1), wait_for_the_end, std::ref(ended));
        });
    CHECK_FALSE(completed);
    CHECK(ended.load() == 1);
    CHECK_THROWS_AS(
        co_await plait::with_timeout(1ms, on(rt.at(1), wait_for_the_end, std::ref(ended))),
        plait::timed_out);
    CHECK(ended.load() == 2);
  });
}

IO_TEST("on: what has come to its value although it was cancelled is delivered") {
  plait::runtime rt(with_threads(2, io.options));
  rt.run([&]() -> task<> {
    auto const stubborn = []() -> task<int> {
      co_await plait::shield(turns, 3);
      co_return 5;
    };
    int got = 0;
    auto const body = [&](task_group& g) -> task<> {
      auto const handle = plait::spawn_on(g, rt.at(1), stubborn);
      co_await plait::yield();
      g.cancel();
      co_await g.join();
      got = handle.take();
    };
    co_await plait::with_task_group(body);
    CHECK(got == 5);
  });
}

IO_TEST("spawn_on: the group ends after its children on other schedulers, and a failure cancels them all") {
  plait::runtime rt(with_threads(3, io.options));
  std::atomic<int> ended{0};
  rt.run([&]() -> task<> {
    auto const body = [&](task_group& g) -> task<> {
      for (unsigned i = 0; i < 6; ++i) plait::spawn_on(g, rt.next(), wait_for_the_end, std::ref(ended));
      plait::spawn_on(g, rt.at(2), failing);
      co_await g.join();
    };
    CHECK_THROWS_WITH(co_await plait::with_task_group(body), "failed over there");
    CHECK(ended.load() == 6);
  });
}

IO_TEST("runtime: at the end the background tasks of every scheduler are cancelled and awaited") {
  plait::runtime rt(with_threads(3, io.options));
  std::atomic<int> ended{0};
  rt.run([&]() -> task<> {
    for (unsigned i = 0; i < rt.size(); ++i) rt.start(i, wait_for_the_end, std::ref(ended));
    // One that waits for another one on a third scheduler.
    auto const waiting = [&]() -> task<> { co_await on(rt.at(2), wait_for_the_end, std::ref(ended)); };
    co_await on(rt.at(1), [&]() -> task<> {
      scheduler::current().background().spawn(waiting);
      co_await turns(2);
    });
    CHECK(ended.load() == 0);
  });
  CHECK(ended.load() == 4);
}

IO_TEST("runtime: a background task that starts another one elsewhere as it ends is waited for") {
  plait::runtime rt(with_threads(3, io.options));
  std::atomic<int> ended{0};
  rt.run([&]() -> task<> {
    auto const last_words = [&]() -> task<> {
      try {
        co_await plait::sleep_forever();
      } catch (plait::cancelled const&) {
        rt.start(1, wait_for_the_end, std::ref(ended));
        throw;
      }
    };
    co_await on(rt.at(2), [&]() -> task<> {
      scheduler::current().background().spawn(last_words);
      co_await turns(2);
    });
  });
  CHECK(ended.load() == 1);
}

IO_TEST("runtime: it may run again, and what run throws leaves the schedulers alive") {
  plait::runtime rt(with_threads(2, io.options));
  CHECK_THROWS_WITH(rt.run(failing), "failed over there");
  auto const id = rt.run([&]() -> task<std::thread::id> {
    std::thread::id const there = co_await on(rt.at(1), thread_here);
    co_return there;
  });
  CHECK(id != std::this_thread::get_id());
}

IO_TEST("runtime: from main, with the number of threads, and the task's value as the exit status") {
  char name[] = "program";
  char* argv[] = {name, nullptr};
  auto const program = [](plait::runtime& rt) -> task<int> {
    auto const id = co_await on(rt.at(1), thread_here);
    co_return id == std::this_thread::get_id() ? 1 : static_cast<int>(rt.size());
  };
  CHECK(plait::run(1, argv, program, with_threads(4, io.options)) == 4);
}

IO_TEST("runtime: I/O on every scheduler at once, all of it answered") {
  plait::runtime rt(with_threads(2, io.options));
  std::array<long, 2> sums{};
  rt.run([&]() -> task<> {
    auto const count_up = [](long to) -> task<long> {
      long sum = 0;
      for (long i = 1; i <= to; ++i) {
        co_await turns();
        sum += i;
      }
      co_return sum;
    };
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const first = plait::spawn_on(g, rt.at(0), count_up, 200L);
      auto const second = plait::spawn_on(g, rt.at(1), count_up, 100L);
      sums[0] = co_await first;
      sums[1] = co_await second;
    });
  });
  CHECK(sums == std::array<long, 2>{20'100, 5'050});
}

IO_TEST("on: ten thousand awaits that are cancelled at every moment end once, and lose no answer") {
  plait::runtime rt(with_threads(2, io.options));
  long answered = 0;
  long completed = 0;
  std::atomic<long> ran{0};
  rt.run([&]() -> task<> {
    auto const job = [&](int yields) -> task<int> {
      for (int i = 0; i < yields; ++i) co_await plait::yield();
      ran.fetch_add(1, std::memory_order_relaxed);
      co_return yields;
    };
    for (int round = 0; round < 10'000; ++round) {
      auto const body = [&](plait::cancel_scope& scope) -> task<> {
        auto const race = [&](task_group& g) -> task<> {
          auto const handle = plait::spawn_on(g, rt.at(1), job, round % 7);
          for (int i = 0; i < round % 11; ++i) co_await plait::yield();
          scope.cancel();
          co_await g.join();
          answered += handle.done() ? 1 : 0;
          try {
            completed += handle.take() == round % 7 ? 1 : 0;
          } catch (plait::task_cancelled const&) {
            // This side asked for it.
          }
        };
        co_await plait::with_task_group(race);
      };
      co_await plait::with_cancel_scope(body);
    }
  });
  CHECK(answered == 10'000);
  CHECK(completed == ran.load());
}
