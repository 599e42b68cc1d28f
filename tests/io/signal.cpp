#include <plait/io/signal.hpp>

#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/task_group.hpp>

#include <csignal>
#include <memory>
#include <string>

#include <unistd.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::signal_set;
using plait::test::turns;

namespace {

bool is_blocked(int number) {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, number) == 1;
}

}  // namespace

IO_TEST("signal: next gives the number of a signal that comes") {
  io.run([&]() -> task<> {
    signal_set set{SIGUSR1, SIGUSR2};
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const waiting = g.spawn([&]() -> task<int> { co_return co_await set.next(); });
      co_await turns(3);
      CHECK_FALSE(waiting.done());
      ::kill(::getpid(), SIGUSR2);
      CHECK(co_await waiting == SIGUSR2);
    });
  });
}

IO_TEST("signal: what comes while nobody awaits is kept, once for each number") {
  io.run([&]() -> task<> {
    signal_set set{SIGUSR1, SIGUSR2};
    for (int i = 0; i < 3; ++i) {
      ::kill(::getpid(), SIGUSR2);
      ::kill(::getpid(), SIGUSR1);
    }
    int const sum = co_await set.next() + co_await set.next();
    CHECK(sum == SIGUSR1 + SIGUSR2);
    CHECK_FALSE((co_await plait::move_on_after(2ms, [&]() -> task<int> {
                  co_return co_await set.next();
                })).has_value());
  });
}

IO_TEST("signal: a cancelled wait loses no signal") {
  io.run([&]() -> task<> {
    signal_set set{SIGUSR1};
    for (int round = 0; round < 20; ++round) {
      int got = 0;
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        g.spawn([&]() -> task<> { got = co_await set.next(); });
        co_await turns(2);
        ::kill(::getpid(), SIGUSR1);
        co_await turns(round % 2);
        g.cancel();
        co_await g.join();
      });
      if (got == 0) got = co_await set.next();
      CHECK(got == SIGUSR1);
    }
  });
}

IO_TEST("signal: the mask is as before when the set is gone") {
  sigset_t usr2;
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &usr2, nullptr);
  io.run([&]() -> task<> {
    {
      signal_set const set{SIGUSR1, SIGUSR2};
      CHECK(is_blocked(SIGUSR1));
      CHECK(is_blocked(SIGUSR2));
    }
    CHECK_FALSE(is_blocked(SIGUSR1));
    CHECK(is_blocked(SIGUSR2));
    co_return;
  });
  pthread_sigmask(SIG_UNBLOCK, &usr2, nullptr);
}

IO_TEST("signal: a number that is no signal is an error, and nothing stays blocked") {
  io.run([&]() -> task<> {
    CHECK_THROWS_AS(signal_set({SIGUSR1, 1000}), plait::io::io_error);
    CHECK_FALSE(is_blocked(SIGUSR1));
    co_return;
  });
}
