// Other threads and the loop: nothing that is posted is lost, however the loop sleeps.
#include <plait/driver.hpp>

#include "support/count.hpp"
#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/wait.hpp>
#include <plait/task_group.hpp>
#include <plait/thread_pool.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using plait::task;
using plait::test::turns;

namespace {

struct counted_call : plait::remote_call {
  counted_call() noexcept
      : remote_call([](plait::remote_call& c) noexcept {
          auto& self = static_cast<counted_call&>(c);
          ++*self.count;
          if (self.waiter != nullptr && *self.count == self.last) self.waiter->cancel();
          self.in_use.store(false, std::memory_order_release);
        }) {}
  std::atomic<bool> in_use{false};
  long* count = nullptr;  // the scheduler's thread's
  long last = 0;
  plait::cancel_scope* waiter = nullptr;
};

constexpr long posts_of_each = 500'000;

void post_all(plait::scheduler& to, std::array<counted_call, 64>& calls) {
  for (long i = 0; i < posts_of_each; ++i) {
    counted_call& call = calls[static_cast<std::size_t>(i) % calls.size()];
    while (call.in_use.load(std::memory_order_acquire)) std::this_thread::yield();
    call.in_use.store(true, std::memory_order_relaxed);
    to.post(call);
  }
}

}  // namespace

IO_TEST("driver: a million posts from other threads all arrive") {
  long count = 0;
  io.run([&]() -> task<> {
    plait::scheduler& here = plait::scheduler::current();
    auto const calls = std::make_unique<std::array<std::array<counted_call, 64>, 2>>();
    std::vector<std::thread> senders;
    co_await plait::with_cancel_scope([&](plait::cancel_scope& scope) -> task<> {
      for (auto& some : *calls) {
        for (counted_call& call : some) {
          call.count = &count;
          call.last = 2 * posts_of_each;
          call.waiter = &scope;
        }
        senders.emplace_back([&here, &some] { post_all(here, some); });
      }
      co_await plait::sleep_forever();
    });
    for (std::thread& s : senders) s.join();
  });
  CHECK(count == 2 * posts_of_each);
  plait::test::count("cross-thread wakes", count);
}

IO_TEST("driver: a loop that sleeps is woken by each of many posts") {
  int done = 0;
  io.run([&]() -> task<> {
    plait::thread_pool pool({.threads = 1});
    plait::test::connection c = plait::test::connected();
    co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await plait::io::wait_readable(c.stream.fd()); });
      for (; done < 5'000; ++done) co_await pool.run([] {});
      g.cancel();
    });
  });
  CHECK(done == 5'000);
}

IO_TEST("driver: wake before, while and after the loop parks is never too much") {
  auto const driver = plait::make_driver(io.options);
  for (int i = 0; i < 100; ++i) driver->wake();
  driver->park(plait::time_point::min());
  driver->wake();
  driver->park(plait::no_deadline);  // returns, for it was woken
  std::thread waker([&] { driver->wake(); });
  driver->park(plait::no_deadline);
  waker.join();
  auto const begin = driver->now();
  auto const deadline = begin + std::chrono::milliseconds(3);
  while (driver->now() < deadline) driver->park(deadline);
  CHECK(driver->in_flight() == 0);
  CHECK(driver->now() >= deadline);
}

IO_TEST("driver: data, timers and other threads reach a busy loop as well") {
  bool timer = false;
  bool data = false;
  bool post = false;
  io.run([&]() -> task<> {
    plait::thread_pool pool({.threads = 1});
    plait::test::connection c = plait::test::connected();
    co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        co_await plait::sleep_for(std::chrono::milliseconds(1));
        timer = true;
      });
      g.spawn([&]() -> task<> {
        char into[1];
        data = co_await c.stream.read_some(into) == 1;
      });
      g.spawn([&]() -> task<> {
        co_await pool.run([] {});
        post = true;
      });
      c.other.send("x");
      while (!(timer && data && post)) co_await plait::yield();
    });
  });
  CHECK((timer && data && post));
}
