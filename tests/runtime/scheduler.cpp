#include <plait/scheduler.hpp>

#include "support/death.hpp"
#include "support/operations.hpp"

#include <plait/sleep.hpp>
#include <plait/task.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::test::ready_operation;
using plait::testing::manual_scheduler;

namespace {

task<> note(std::string& order, char name) {
  order += name;
  co_await plait::yield();
  order += name;
}

task<> do_nothing() { co_return; }

// A call from another thread that ends a task's wait.
class remote_event : public plait::operation {
 public:
  explicit remote_event(plait::scheduler& s) noexcept : home(s) {}
  remote_event(remote_event&& other) noexcept : operation(std::move(other)), home(other.home) {}

  struct call : plait::remote_call {
    explicit call(remote_event& e) noexcept
        : remote_call(
              [](remote_call& c) noexcept { static_cast<call&>(c).event.complete(status::done); }),
          event(e) {}
    remote_event& event;
  };

  bool start(plait::detail::task_state& task) {
    begin(task);
    started.store(this, std::memory_order_release);
    return true;
  }
  void result() const noexcept {}

  static inline std::atomic<remote_event*> started{nullptr};
  plait::scheduler& home;
  call ring{*this};

 private:
  void cancel() noexcept override {}
};

// Does something at the moment at which the scheduler sleeps.
struct sleepy_driver final : plait::driver {
  std::string_view name() const noexcept override { return "sleepy"; }
  plait::time_point now() noexcept override { return plait::time_point(1s); }
  std::uint64_t random() noexcept override { return 4; }
  void park(plait::time_point) override {
    ++parks;
    while_asleep();
  }
  void wake() noexcept override { ++wakes; }
  void watch(plait::fd_wait&) override {}
  void unwatch(plait::fd_wait&) noexcept override {}
  plait::system_calls& sys() noexcept override { return plait::system_calls::real(); }

  std::function<void()> while_asleep;
  int parks = 0;
  std::atomic<int> wakes{0};
};

struct counting_call : plait::remote_call {
  counting_call() noexcept
      : remote_call([](remote_call& c) noexcept {
          auto& self = static_cast<counting_call&>(c);
          if (++*self.seen == self.expected) *self.done = true;
        }) {}
  long* seen = nullptr;
  long expected = 0;
  bool* done = nullptr;
};

}  // namespace

TEST_CASE("scheduler: ready tasks run in the order in which they became ready") {
  manual_scheduler m;
  std::string order;
  for (char const name : {'a', 'b', 'c'}) m.start(note, std::ref(order), name);
  m.run_until_idle();
  CHECK(order == "abcabc");
}

TEST_CASE("scheduler: a task whose operations are always ready lets others run") {
  manual_scheduler m;
  long others = 0;
  long seen_at_end = 0;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const busy = [&]() -> task<> {
        for (int i = 0; i < 10'000; ++i) co_await ready_operation();
        seen_at_end = others;
      };
      auto const other = [&]() -> task<> {
        for (int i = 0; i < 100'000 && seen_at_end == 0; ++i) {
          ++others;
          co_await plait::yield();
        }
      };
      g.spawn(busy);
      g.spawn(other);
      co_await g.join();
    });
  });
  // Every inline_budget operations it goes through the queue, where the other one stands.
  CHECK(seen_at_end >= 10'000 / plait::scheduler::inline_budget);
}

TEST_CASE("scheduler: timers fire although tasks are always ready") {
  manual_scheduler m;
  bool fired = false;
  long rounds = 0;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const sleeper = [&]() -> task<> {
        co_await plait::sleep_for(10ms);
        fired = true;
      };
      auto const spinner = [&]() -> task<> {
        while (!fired) {
          ++rounds;
          m.io().advance(1ms);
          co_await plait::yield();
        }
      };
      g.spawn(sleeper);
      g.spawn(spinner);
      co_await g.join();
    });
  });
  CHECK(fired);
  CHECK(rounds <= 10 + plait::scheduler::turn_budget);
}

TEST_CASE("scheduler: the driver is looked at although tasks are always ready") {
  manual_scheduler m;
  int rounds = 0;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const waiter = [&]() -> task<> {
        short const events = co_await plait::fd_wait(0, POLLIN);
        CHECK(events == POLLIN);
      };
      auto const spinner = [&]() -> task<> {
        for (; rounds < 1000; ++rounds) co_await plait::yield();
        m.io().finish(*m.io().waits().front(), POLLIN);
      };
      g.spawn(waiter);
      g.spawn(spinner);
      co_await g.join();
    });
  });
  CHECK(m.io().looks() >= 1000 / plait::scheduler::turn_budget);
}

TEST_CASE("scheduler: it returns when the main task has returned, without sleeping first") {
  manual_scheduler m;
  m.run(do_nothing);
  CHECK(m.io().sleeps() == 0);
}

TEST_CASE(
    "scheduler: a background task that sleeps for an hour does not hold up the main task's end") {
  manual_scheduler m;
  auto const before = m.io().now();
  m.run([]() -> task<> {
    auto const sleeper = []() -> task<> { co_await plait::sleep_for(1h); };
    plait::scheduler::current().background().spawn(sleeper);
    co_await plait::yield();
  });
  CHECK(m.io().sleeps() == 0);
  CHECK(m.io().now() == before);
}

TEST_CASE("scheduler: run_until_idle leaves what waits for a later time") {
  manual_scheduler m;
  auto const handle = m.start([]() -> task<> { co_await plait::sleep_for(5ms); });
  m.run_until_idle();
  CHECK_FALSE(handle.done());
  m.advance(4ms);
  CHECK_FALSE(handle.done());
  m.advance(1ms);
  CHECK(handle.done());
}

TEST_CASE("scheduler: background tasks are cancelled when the main task has returned") {
  manual_scheduler m;
  std::string end;
  m.run([&]() -> task<> {
    auto const forever = [&]() -> task<> {
      try {
        co_await plait::sleep_forever();
      } catch (plait::cancelled const& c) {
        end = c.reason();
        throw;
      }
    };
    plait::scheduler::current().background().spawn(forever);
    co_await plait::yield();
  });
  CHECK(end == "the program is ending");
}

TEST_CASE("scheduler: a background task's failure goes to the hook and leaves the others alone") {
  manual_scheduler m;
  std::string failure;
  m.sched().on_unhandled = [&](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (std::exception const& e) {
      failure = e.what();
    }
  };
  m.start([]() -> task<> {
    throw std::runtime_error("no luck");
    co_return;
  });
  auto const other = m.start([]() -> task<> { co_await plait::sleep_for(1ms); });
  m.run_until_quiet();
  CHECK(failure == "no luck");
  CHECK(other.done());
  other.take();
}

TEST_CASE("scheduler: without a hook a background failure is printed with what to do about it") {
  auto const end = plait::test::in_child([] {
    manual_scheduler m;
    m.start([]() -> task<> {
      throw std::runtime_error("no luck");
      co_return;
    });
    m.run_until_idle();
  });
  CHECK(end.exited_with(0));
  CHECK(end.says("a background task failed: no luck"));
  CHECK(end.says("on_unhandled"));
}

TEST_CASE("scheduler: calls from other threads run in the order in which one thread sent them") {
  manual_scheduler m;
  std::string order;
  struct letter : plait::remote_call {
    letter(std::string& o, char n)
        : remote_call([](remote_call& c) noexcept {
            auto& self = static_cast<letter&>(c);
            self.out += self.name;
          }),
          out(o),
          name(n) {}
    std::string& out;
    char name;
  };
  letter a(order, 'a');
  letter b(order, 'b');
  letter c(order, 'c');
  std::thread([&] {
    for (letter* const l : {&a, &b, &c}) m.sched().post(*l);
  }).join();
  m.run_until_idle();
  CHECK(order == "abc");
}

TEST_CASE("scheduler: a call may send the next one") {
  manual_scheduler m;
  struct chain : plait::remote_call {
    explicit chain(plait::scheduler& s)
        : remote_call([](remote_call& c) noexcept {
            auto& self = static_cast<chain&>(c);
            if (++self.runs < 10) self.to.post(self);
          }),
          to(s) {}
    plait::scheduler& to;
    int runs = 0;
  };
  chain calls(m.sched());
  m.sched().post(calls);
  m.run_until_idle();
  CHECK(calls.runs == 10);
}

TEST_CASE("scheduler: a million calls from four threads all run") {
  constexpr long each = 250'000;
  manual_scheduler m;
  long seen = 0;
  bool done = false;
  std::vector<std::unique_ptr<counting_call[]>> calls;
  for (int i = 0; i < 4; ++i) {
    calls.push_back(std::make_unique<counting_call[]>(each));
    for (long n = 0; n < each; ++n) {
      calls.back()[n].seen = &seen;
      calls.back()[n].expected = 4 * each;
      calls.back()[n].done = &done;
    }
  }
  std::vector<std::thread> senders;
  for (auto& mine : calls) {
    senders.emplace_back([&m, &mine] {
      for (long n = 0; n < each; ++n) m.sched().post(mine[n]);
    });
  }
  m.sched().run_until(done);
  for (std::thread& t : senders) t.join();
  CHECK(seen == 4 * each);
}

TEST_CASE("scheduler: one sleep costs one wake-up however many calls arrive") {
  sleepy_driver driver;
  plait::scheduler s(driver);
  long seen = 0;
  bool done = false;
  auto const calls = std::make_unique<counting_call[]>(100);
  for (int i = 0; i < 100; ++i) {
    calls[i].seen = &seen;
    calls[i].expected = 100;
    calls[i].done = &done;
  }
  driver.while_asleep = [&] {
    std::thread([&] {
      for (int i = 0; i < 100; ++i) s.post(calls[i]);
    }).join();
  };
  s.run_until(done);
  CHECK(seen == 100);
  CHECK(driver.parks == 1);
  CHECK(driver.wakes == 1);
}

TEST_CASE("scheduler: calls to one that is awake cost no wake-up") {
  manual_scheduler m;
  long seen = 0;
  bool done = false;
  counting_call call;
  call.seen = &seen;
  call.expected = 1;
  call.done = &done;
  m.run([&]() -> task<> {
    std::thread([&] { m.sched().post(call); }).join();
    while (!done) co_await plait::yield();
  });
  CHECK(seen == 1);
  CHECK(m.io().wakes() == 0);
}

TEST_CASE("scheduler: a call sent while it goes to sleep is not lost") {
  constexpr int rounds = 20'000;
  manual_scheduler m;
  std::thread ringer([] {
    for (int i = 0; i < rounds; ++i) {
      remote_event* event = nullptr;
      while (event == nullptr) event = remote_event::started.exchange(nullptr);
      event->home.post(event->ring);
    }
  });
  int answered = 0;
  m.run([&]() -> task<> {
    for (; answered < rounds; ++answered) co_await remote_event(m.sched());
  });
  ringer.join();
  CHECK(answered == rounds);
}

TEST_CASE("scheduler: it can be destroyed while the thread that ended it is still inside post") {
  constexpr int rounds = 2'000;
  int ended = 0;
  for (int i = 0; i < rounds; ++i) {
    auto m = std::make_unique<manual_scheduler>();
    bool done = false;
    long seen = 0;
    counting_call last;
    last.seen = &seen;
    last.expected = 1;
    last.done = &done;
    std::thread sender([&] { m->sched().post(last); });
    m->sched().run_until(done);
    m.reset();
    sender.join();
    ended += static_cast<int>(seen);
  }
  CHECK(ended == rounds);
}

TEST_CASE("scheduler: a second one on the same thread is refused") {
  auto const end = plait::test::in_child([] {
    manual_scheduler outer;
    outer.run([]() -> task<> {
      manual_scheduler inner;
      inner.run(do_nothing);
      co_return;
    });
  });
  CHECK(end.aborted());
  CHECK(end.says("a scheduler already runs on this thread; await the task instead"));
}

TEST_CASE("scheduler: destroying it with live background tasks is refused") {
  auto const end = plait::test::in_child([] {
    plait::testing::manual_driver driver;
    plait::scheduler s(driver);
    plait::scheduler_binding const bound(s);
    s.background().spawn(do_nothing);
  });
  CHECK(end.aborted());
  CHECK(end.says("background tasks were alive"));
}

#if PLAIT_ASSERTIONS
TEST_CASE("scheduler: asking for the current one where none runs is refused") {
  auto const end = plait::test::in_child([] { plait::scheduler::current(); });
  CHECK(end.aborted());
  CHECK(end.says("no plait scheduler runs on this thread; start one with plait::run"));
}
#endif

TEST_CASE("scheduler: a test that waits for nothing is told so") {
  CHECK(plait::scheduler::current_or_null() == nullptr);
  manual_scheduler m;
  auto const handle = m.start([]() -> task<> { co_await plait::sleep_forever(); });
  m.run_until_quiet();
  CHECK_FALSE(handle.done());
  CHECK(m.io().sleeps() == 0);
}

TEST_CASE("scheduler: the clock of a task is its driver's") {
  manual_scheduler m;
  plait::time_point inside;
  m.run([&]() -> task<> {
    inside = plait::clock::now();
    co_return;
  });
  CHECK(inside == m.io().now());
  // Elsewhere it is the kernel's.
  auto const a = plait::clock::now();
  CHECK(plait::clock::now() >= a);
}
