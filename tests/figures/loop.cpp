// What one loop does to its timers, and whether it hears other threads.
#include "figures.hpp"

#include <plait/cancel.hpp>
#include <plait/io/unix.hpp>
#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <time.h>

namespace plait::figures {
namespace {

using namespace std::chrono_literals;

double ms(duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

duration processor_time() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// Its operations are ready whenever it asks: it never blocks.
task<> never_blocks() {
  auto [left, right] = io::unix_stream::pair();
  char bytes[64] = {};
  for (;;) {
    co_await left.write_all(bytes);
    co_await right.read_exactly(bytes);
  }
}

struct counted_call : remote_call {
  counted_call() noexcept
      : remote_call([](remote_call& c) noexcept {
          auto& self = static_cast<counted_call&>(c);
          if (++*self.count == self.last) self.waiter->cancel();
          self.in_use.store(false, std::memory_order_release);
        }) {}
  std::atomic<bool> in_use{false};
  long* count = nullptr;  // the scheduler's thread's
  long last = 0;
  cancel_scope* waiter = nullptr;
};

}  // namespace

// On a busy machine the kernel lets other programs run meanwhile, which is no fault of the loop's; as
// it never sleeps, what it did wrong itself shows in the processor time that the wait took.
void timer_lateness(report& to, driver_kind kind) {
  std::vector<double> late;
  std::vector<double> own;
  scheduler s(make_driver({.kind = kind}));
  auto const measure = [&]() -> task<> {
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn(never_blocks);
      for (int i = 0; i < 2000; ++i) {
        duration const used = processor_time();
        time_point const due = plait::clock::now() + 1ms;
        co_await sleep_until(due);
        duration const lateness = plait::clock::now() - due;
        late.push_back(ms(lateness));
        own.push_back(ms(std::clamp<duration>(processor_time() - used - 1ms, 0ms, lateness)));
      }
      g.cancel();
    });
  };
  run_on(s, measure());
  std::sort(late.begin(), late.end());
  std::sort(own.begin(), own.end());
  std::string const where = " of a 1 ms timer beside a task that never blocks, " + name_of(kind) + ":";
  to.note("F9 lateness p99" + where, late[late.size() * 99 / 100]);
  to.time_ms("F9 lateness p99 of the loop's own making" + where, own[own.size() * 99 / 100], 2);
  to.time_ms("F9 lateness max of the loop's own making" + where, own.back(), 10);
}

void wakes(report& to, driver_kind kind) {
  constexpr long senders = 2;
  constexpr long of_each = 500'000;
  long count = 0;
  auto const calls = std::make_unique<std::array<std::array<counted_call, 64>, senders>>();
  scheduler s(make_driver({.kind = kind}));
  auto const measure = [&]() -> task<> {
    std::vector<std::thread> threads;
    co_await with_cancel_scope([&](cancel_scope& scope) -> task<> {
      scope.set_deadline(deadline_after(plait::clock::now(), 60s));  // where one is lost
      for (auto& mine : *calls) {
        for (counted_call& call : mine) {
          call.count = &count;
          call.last = senders * of_each;
          call.waiter = &scope;
        }
        threads.emplace_back([&s, &mine] {
          for (long i = 0; i < of_each; ++i) {
            counted_call& call = mine[static_cast<std::size_t>(i) % mine.size()];
            while (call.in_use.load(std::memory_order_acquire)) std::this_thread::yield();
            call.in_use.store(true, std::memory_order_relaxed);
            s.post(call);
          }
        });
      }
      co_await sleep_forever();
    });
    for (std::thread& t : threads) t.join();
  };
  run_on(s, measure());
  to.exactly("F15 wakes by other threads that arrived, " + name_of(kind) + ":", count, senders * of_each);
}

}  // namespace plait::figures
