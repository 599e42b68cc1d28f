// Every primitive: nothing it stands for is lost when a wait is cancelled, and the queue's order is kept.
#include "scenarios.hpp"

#include <plait/select.hpp>
#include <plait/sleep.hpp>
#include <plait/sync/banker.hpp>
#include <plait/sync/barrier.hpp>
#include <plait/sync/condition.hpp>
#include <plait/sync/event.hpp>
#include <plait/sync/latch.hpp>
#include <plait/sync/lock_all.hpp>
#include <plait/sync/mutex.hpp>
#include <plait/sync/recursive_mutex.hpp>
#include <plait/sync/semaphore.hpp>
#include <plait/sync/shared_mutex.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <utility>

using namespace std::chrono_literals;
using plait::testing::run_report;
using plait::testing::scenario;

namespace plait::test {
namespace {

// Those that wait come to the queue in the order of their numbers; whoever is not cancelled has to get
// through in this order. Kept outside of the scenario, since its check looks at it after the run.
struct order_keeper {
  int last = -1;
  bool kept = true;
  void passed(int who) noexcept { kept = kept && std::exchange(last, who) < who; }
};

struct the_locks {
  mutex plain;
  mutex other;
  mutex third;
  recursive_mutex recursive;
  shared_mutex shared;
  semaphore permits{3};
  banker<2> bank{{3, 2}};
  condition changed;
  event happened;
  order_keeper order;
};

// Made anew for each run by the check, which finds what the last run has left.
the_locks& locks() {
  static the_locks all;
  return all;
}

void check_locks(run_report const&) {
  the_locks& l = locks();
  bool const kept = std::exchange(l.order, order_keeper()).kept;
  l.happened.clear();
  require(!l.plain.locked() && !l.other.locked() && !l.third.locked(), "a mutex stayed locked");
  require(!l.recursive.locked() && l.recursive.depth() == 0, "the recursive mutex stayed locked");
  require(!l.shared.locked() && l.shared.readers() == 0, "the shared mutex stayed locked");
  require(l.permits.available() == 3, "permits were lost, or given back twice");
  require(l.bank.available() == std::array<std::size_t, 2>{3, 2}, "the banker has lost something");
  require(l.changed.n_waiting() == 0, "somebody waits for the condition still");
  require(kept, "the order of the queue was not kept");
}

using contend = task<> (*)(int who);

// Several that contend, spawned in the order of their numbers.
task<> contention(contend each, int contenders) {
  locks().order = order_keeper();
  co_await with_task_group([each, contenders](task_group& g) -> task<> {
    for (int who = 0; who < contenders; ++who) g.spawn(each, who);
    co_await g.join();
  });
}

task<> take_mutex(int who) {
  auto const held = co_await locks().plain.lock();
  locks().order.passed(who);
  co_await nap(1);
}
task<> take_recursive(int who) {
  auto const held = co_await locks().recursive.lock();
  locks().order.passed(who);
  co_await yield();
  auto const again = co_await locks().recursive.lock();
  co_await yield();
}
task<> take_shared(int who) {
  shared_mutex& m = locks().shared;
  if (who % 3 == 2) {
    auto const held = co_await m.lock();
    locks().order.passed(who);
    require(m.readers() == 0, "a writer beside readers");
    co_await nap(1);
  } else {
    auto const held = co_await m.lock_shared();
    require(!m.locked(), "a reader beside a writer");
    co_await nap(1);
  }
}
task<> take_permits(int who) {
  auto const n = static_cast<std::size_t>(1 + who % 3);
  auto const held = co_await locks().permits.hold(n);
  locks().order.passed(who);
  co_await nap(1);
}
task<> take_loans(int who) {
  auto mine = locks().bank.claim({2, 1 + static_cast<std::size_t>(who % 2)});
  auto const first = co_await mine.acquire({1, 0});
  co_await nap(1);
  auto const second = co_await mine.acquire({1, 1});
  require(locks().bank.is_safe(), "the banker's state is not safe");
  co_await yield();
}
task<> take_all(int who) {
  the_locks& l = locks();
  std::array<mutex*, 3> const in_turn{&l.plain, &l.other, &l.third};
  auto const at = [&](int i) -> mutex& { return *in_turn[static_cast<std::size_t>((who + i) % 3)]; };
  auto const held = co_await lock_all(at(0), at(1));
  co_await nap(1);
}
task<> take_one_of_two(int) {
  auto const held = co_await select(locks().plain.lock(), locks().other.lock());
  require(held.index() < 2, "no lock");
  co_await nap(1);
}
task<> try_for_a_while(int who) {
  auto const attempt = [](int number) -> task<> {
    auto const held = co_await locks().plain.lock();
    locks().order.passed(number);
    co_await sleep_for(2ms);
  };
  bool const done = co_await move_on_after(3ms, attempt, who);
  static_cast<void>(done);
}

// What the children refer to stands outside of the group: it is there also where the body fails.
task<> conditions() {
  int stage = 0;
  bool all_held = true;
  auto const wait_until = [&](int wanted) -> task<> {
    auto held = co_await locks().plain.lock();
    try {
      co_await locks().changed.wait(held, [&] { return stage >= wanted; });
    } catch (cancelled const&) {
      all_held = all_held && locks().plain.locked();
      throw;
    }
    all_held = all_held && locks().plain.locked();
  };
  co_await with_task_group([&](task_group& g) -> task<> {
    for (int const wanted : {2, 1, 2}) g.spawn(std::cref(wait_until), wanted);
    for (int i = 0; i < 2; ++i) {
      co_await nap(1);
      auto const held = co_await locks().plain.lock();
      ++stage;
      locks().changed.notify_all();
      co_await yield();
    }
  });
  require(all_held, "a wait for the condition ended without the mutex");
}

// What is notified once and not taken by a cancelled waiter goes to the next one: two notifications, four
// waiters, two of which give up on their own.
task<> notifications() {
  int notified = 0;
  auto const wait = [&]() -> task<> {
    auto held = co_await locks().recursive.lock();
    co_await locks().changed.wait(held);
    ++notified;
  };
  auto const impatient = [&]() -> task<> {
    bool const came = co_await move_on_after(1ms, std::cref(wait));
    static_cast<void>(came);
  };
  co_await with_task_group([&](task_group& g) -> task<> {
    for (int i = 0; i < 2; ++i) {
      g.spawn(std::cref(impatient));
      g.spawn(std::cref(wait));
    }
    co_await nap(3);
    locks().changed.notify(2);
    co_await nap(1);
    require(notified == 2, "a notification was lost");
  });
}

task<> events() {
  co_await with_task_group([](task_group& g) -> task<> {
    auto const wait = []() -> task<> { co_await locks().happened.wait(); };
    auto const wait_a_while = []() -> task<> {
      auto const got = co_await select(locks().happened.wait(), sleep_for(1ms));
      static_cast<void>(got);
    };
    g.spawn(wait);
    g.spawn(wait_a_while);
    g.spawn(wait);
    co_await nap(1);
    locks().happened.set();
    locks().happened.clear();
  });
}

task<> latches() {
  latch done(3);
  auto const arrive = [&]() -> task<> {
    co_await nap(1);
    co_await done.arrive_and_wait();
  };
  co_await with_task_group([&](task_group& g) -> task<> {
    for (int i = 0; i < 3; ++i) g.spawn(std::cref(arrive));
    co_await done.wait();
  });
}

// Whoever is cancelled breaks it, so that nobody waits for ever.
task<> barriers() {
  barrier phase(3);
  auto const pass = [&]() -> task<> {
    try {
      for (int i = 0; i < 2; ++i) {
        co_await phase.arrive_and_wait();
        co_await yield();
      }
    } catch (broken_barrier const&) {
    } catch (...) {
      phase.abort();
      throw;
    }
  };
  co_await with_task_group([&](task_group& g) -> task<> {
    for (int i = 0; i < 3; ++i) g.spawn(std::cref(pass));
    co_return;
  });
}

}  // namespace

void add_sync_scenarios(std::vector<scenario>& to) {
  auto const add = [&](char const* name, std::function<task<>()> body) {
    to.push_back({.name = name, .body = std::move(body), .check = check_locks});
  };
  add("mutex contended", [] { return contention(take_mutex, 4); });
  add("recursive mutex contended", [] { return contention(take_recursive, 3); });
  add("shared mutex contended", [] { return contention(take_shared, 6); });
  add("semaphore contended", [] { return contention(take_permits, 5); });
  add("banker contended", [] { return contention(take_loans, 4); });
  add("lock_all contended", [] { return contention(take_all, 4); });
  add("two locks selected from", [] { return contention(take_one_of_two, 4); });
  add("mutex tried for a while", [] { return contention(try_for_a_while, 4); });
  add("conditions", conditions);
  add("notifications", notifications);
  add("events", events);
  add("latches", latches);
  add("barriers", barriers);
}

}  // namespace plait::test
