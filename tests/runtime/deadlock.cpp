#include <plait/deadlock.hpp>

#include <plait/deadlock_error.hpp>
#include <plait/detail/splitmix64.hpp>
#include <plait/runtime.hpp>
#include <plait/select.hpp>
#include <plait/sleep.hpp>
#include <plait/sync/condition.hpp>
#include <plait/sync/event.hpp>
#include <plait/sync/lock_all.hpp>
#include <plait/sync/mutex.hpp>
#include <plait/sync/shared_mutex.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/thread_pool.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::deadlock;
using plait::deadlock_error;
using plait::find_deadlocks;
using plait::mutex;
using plait::task;
using plait::task_group;
using plait::testing::manual_scheduler;

namespace {

struct world {
  world() {
    m.sched().on_deadlock = [this](std::string const& text) { reports.push_back(text); };
  }
  template <class Fn>
  void run_in_group(Fn const& body) {
    m.run([&]() -> task<> { co_await plait::with_task_group(std::cref(body)); });
  }
  bool says(std::string const& text) const {
    return std::any_of(reports.begin(), reports.end(),
                       [&](std::string const& r) { return r.find(text) != std::string::npos; });
  }

  std::vector<std::string> reports;
  manual_scheduler m;
};

task<> name_me(char const* name) {
  plait::detail::task_state& self = co_await plait::detail::this_task_state();
  self.name = name;
}

// Locks one and then the other; counts what came of it.
task<> lock_both(char const* name, mutex& first, mutex& second, int& refused) {
  co_await name_me(name);
  auto const held = co_await first.lock();
  co_await plait::yield();
  try {
    auto const both = co_await second.lock();
  } catch (deadlock_error const&) {
    ++refused;
  }
}

task<> lock_and_sleep(mutex& m) {
  auto const held = co_await m.lock();
  co_await plait::sleep_forever();
}

}  // namespace

TEST_CASE("deadlock: of two tasks with two mutexes is reported, and both waits throw") {
  world w;
  mutex a("a");
  mutex b("b");
  int refused = 0;
  w.run_in_group([&](task_group& g) -> task<> {
    g.spawn(lock_both, "one", std::ref(a), std::ref(b), std::ref(refused));
    g.spawn(lock_both, "two", std::ref(b), std::ref(a), std::ref(refused));
    co_await g.join();
  });
  CHECK(refused == 2);
  REQUIRE(w.reports.size() == 1);
  CHECK(w.says("deadlock: 2 tasks wait for each other"));
  CHECK(w.says("task \"one\" waits at deadlock.cpp:"));
  CHECK(w.says("for mutex \"b\", held by task \"two\" since deadlock.cpp:"));
  CHECK(w.says("for mutex \"a\", held by task \"one\" since deadlock.cpp:"));
  CHECK_FALSE(a.locked());
  CHECK_FALSE(b.locked());
}

TEST_CASE("deadlock: a task that locks a mutex twice waits for itself") {
  world w;
  mutex a("a");
  w.m.run([&]() -> task<> {
    auto const held = co_await a.lock();
    CHECK_THROWS_AS(co_await a.lock(), deadlock_error);
  });
  CHECK(w.says("deadlock: a task waits for itself"));
}

TEST_CASE("deadlock: an event that nobody is left to set") {
  world w;
  plait::event e("ready");
  w.m.run([&]() -> task<> { CHECK_THROWS_AS(co_await e.wait(), deadlock_error); });
  CHECK(w.says("deadlock: no task can run, and nothing can arrive"));
  CHECK(w.says(" for event \"ready\""));
}

TEST_CASE("deadlock: a condition throws with the mutex locked again") {
  world w;
  mutex a;
  plait::condition c;
  w.m.run([&]() -> task<> {
    auto held = co_await a.lock();
    CHECK_THROWS_AS(co_await c.wait(held), deadlock_error);
    CHECK(a.locked());
  });
  CHECK_FALSE(a.locked());
}

TEST_CASE("deadlock: lock_all gives back what it had, and throws") {
  world w;
  mutex locks[2];
  w.m.run([&]() -> task<> {
    auto const held = co_await locks[1].lock();
    CHECK_THROWS_AS(co_await plait::lock_all(locks[1], locks[0]), deadlock_error);
    CHECK_FALSE(locks[0].locked());
  });
}

TEST_CASE("deadlock: a child waits for a lock that its joiner holds") {
  world w;
  mutex a("a");
  w.m.run([&]() -> task<> {
    auto const body = [&](task_group& g) -> task<> {
      auto const held = co_await a.lock();
      auto const child = g.spawn([&]() -> task<> {
        co_await name_me("child");
        auto const never = co_await a.lock();
      });
      co_await child;
    };
    CHECK_THROWS_AS(co_await plait::with_task_group(std::cref(body)), deadlock_error);
  });
  CHECK(w.says("deadlock: 2 tasks wait for each other"));
  CHECK(w.says(" for the end of task \"child\"\n"));
  CHECK_FALSE(a.locked());
}

TEST_CASE("deadlock: what a timer, a sleep without end or another thread may end is none") {
  world w;
  mutex a;
  SECTION("a timeout") {
    w.m.run([&]() -> task<> {
      auto const held = co_await a.lock();
      CHECK_THROWS_AS(co_await plait::with_timeout(1ms, a.lock()), plait::timed_out);
    });
  }
  SECTION("a job of a thread pool") {
    plait::thread_pool pool;
    w.run_in_group([&](task_group& g) -> task<> {
      auto held = std::optional(co_await a.lock());
      g.spawn([&]() -> task<> { auto const later = co_await a.lock(); });
      int const answer = co_await pool.run([] { return 42; });
      held.reset();
      co_await g.join();
      CHECK(answer == 42);
    });
  }
  SECTION("a sleep without end, as anyone may cancel it") {
    w.m.start(lock_and_sleep, std::ref(a));
    w.m.start(lock_and_sleep, std::ref(a));
    w.m.run_until_idle();
    CHECK(find_deadlocks(w.m.sched()).empty());
  }
  CHECK(w.reports.empty());
  w.m.close();
}

TEST_CASE("deadlock: a scheduler to which others send tasks does not know what may arrive") {
  plait::runtime rt({.threads = 2});
  plait::event set_from_there;
  bool woken = false;
  bool failed = false;
  rt.at(1).on_unhandled = [&](std::exception_ptr const&) { failed = true; };
  rt.start(1, [&]() -> task<> {
    co_await set_from_there.wait();
    woken = true;
  });
  auto const nothing = []() -> task<> { co_return; };
  auto const set = [&]() -> task<> {
    set_from_there.set();
    co_await plait::yield();
  };
  rt.run([&]() -> task<> {
    for (int i = 0; i < 50; ++i) co_await plait::on(rt.at(1), nothing);  // it sleeps in between
    co_await plait::on(rt.at(1), std::cref(set));
    co_await plait::on(rt.at(1), nothing);
  });
  CHECK(woken);
  CHECK_FALSE(failed);
}

TEST_CASE("deadlock: a cycle among some tasks is found while others still run") {
  world w;
  mutex a("a");
  mutex b("b");
  int refused = 0;
  auto const ticks = []() -> task<> { co_await plait::sleep_for(24h); };
  w.m.start(ticks);
  w.m.start(lock_both, "one", std::ref(a), std::ref(b), std::ref(refused));
  w.m.start(lock_both, "two", std::ref(b), std::ref(a), std::ref(refused));
  w.m.run_until_idle();
  auto const behind = [&]() -> task<> {
    co_await name_me("three");
    auto const held = co_await a.lock();
  };
  w.m.start(std::cref(behind));
  w.m.run_until_idle();
  std::vector<deadlock> const found = find_deadlocks(w.m.sched());
  REQUIRE(found.size() == 1);
  REQUIRE(found[0].cycle.size() == 2);
  REQUIRE(found[0].behind.size() == 1);
  CHECK(found[0].behind[0].name == "task \"three\"");
  CHECK(found[0].cycle[0].waits.size() == 1);
  CHECK(refused == 0);
  CHECK(w.reports.empty());
  w.m.close();
}

TEST_CASE("deadlock: a select escapes while one of its cases can") {
  world w;
  mutex a;
  mutex b;
  auto const hold_a_want_b = [&]() -> task<> {
    auto const held = co_await a.lock();
    co_await plait::yield();
    auto const both = co_await b.lock();
  };
  auto const hold_b_select = [&](bool escapes) -> task<> {
    auto const held = co_await b.lock();
    co_await plait::yield();
    if (escapes) {
      auto const got = co_await plait::select(a.lock(), plait::sleep_for(1h));
      static_cast<void>(got);
    } else {
      auto const got = co_await plait::select(a.lock(), b.lock());
      static_cast<void>(got);
    }
  };
  bool const escapes = GENERATE(true, false);
  auto const ticks = []() -> task<> { co_await plait::sleep_for(24h); };
  w.m.start(ticks);
  w.m.start(std::cref(hold_a_want_b));
  w.m.start(std::cref(hold_b_select), escapes);
  w.m.run_until_idle();
  CHECK(find_deadlocks(w.m.sched()).empty() == escapes);
  w.m.close();
}

namespace {

// A writer that holds `a` and wants `shared`, and readers that hold `shared` and want `a`, or sleep.
struct reader_and_writer {
  plait::shared_mutex shared{"shared"};
  mutex a{"a"};

  static task<> read(reader_and_writer& of, bool wants_a) {
    auto const held = co_await of.shared.lock_shared();
    co_await plait::yield();
    if (wants_a) {
      auto const inner = co_await of.a.lock();
    } else {
      co_await plait::sleep_for(24h);
    }
  }
  static task<> write(reader_and_writer& of) {
    auto const held = co_await of.a.lock();
    co_await plait::yield();
    auto const inner = co_await of.shared.lock();
  }
};

}  // namespace

TEST_CASE("deadlock: a writer that waits for a reader that sleeps is not stuck, nor who waits behind it") {
  world w;
  reader_and_writer both;
  w.m.start(reader_and_writer::read, std::ref(both), false);
  w.m.start(reader_and_writer::write, std::ref(both));
  w.m.run_until_idle();
  CHECK(find_deadlocks(w.m.sched()).empty());
  // Behind the writer, which waits for the first alone.
  w.m.start(reader_and_writer::read, std::ref(both), true);
  w.m.run_until_idle();
  CHECK(find_deadlocks(w.m.sched()).empty());
  w.m.close();
}

TEST_CASE("deadlock: readers that hold a lock and want one that the writer has") {
  world w;
  reader_and_writer both;
  w.m.start(reader_and_writer::read, std::ref(both), false);
  w.m.start(reader_and_writer::read, std::ref(both), true);
  w.m.start(reader_and_writer::write, std::ref(both));
  w.m.run_until_idle();
  std::vector<deadlock> const found = find_deadlocks(w.m.sched());
  REQUIRE(found.size() == 1);
  CHECK(found[0].cycle.size() == 2);
  w.m.close();
}

TEST_CASE("deadlock: a holder that has ended, and a guard that was released, are nobody's") {
  world w;
  mutex a;
  mutex b;
  std::optional<mutex::guard> kept;
  auto const takes = [&]() -> task<> {
    kept.emplace(co_await a.lock());
    co_await plait::yield();
    co_await plait::yield();
  };
  auto const waits = [&]() -> task<> { auto const held = co_await a.lock(); };
  auto const releases = [&]() -> task<> {
    auto held = co_await b.lock();
    held.release();
    auto const again = co_await b.lock();
  };
  w.m.start(std::cref(takes));
  w.m.start(std::cref(waits));
  w.m.start(std::cref(releases));
  w.m.run_until_idle();
  CHECK(find_deadlocks(w.m.sched()).empty());
  w.m.on_thread([&] {
    kept.reset();
    b.unlock();
  });
  w.m.run_until_idle();
  CHECK_FALSE(b.locked());
  w.m.close();
}

TEST_CASE("deadlock: the watch reports each cycle once, and ends it where all else is stuck") {
  world w;
  mutex a("a");
  mutex b("b");
  int refused = 0;
  bool const others_run = GENERATE(true, false);
  auto const ticks = []() -> task<> { co_await plait::sleep_for(1h); };
  if (others_run) w.m.start(ticks);
  w.m.start(plait::watch_for_deadlocks, plait::duration(1s));
  w.m.start(lock_both, "one", std::ref(a), std::ref(b), std::ref(refused));
  w.m.start(lock_both, "two", std::ref(b), std::ref(a), std::ref(refused));
  w.m.run_until_idle();
  CHECK(w.reports.empty());
  for (int i = 0; i < 5; ++i) w.m.advance(1s);
  CHECK(w.reports.size() == 1);
  CHECK(refused == (others_run ? 0 : 2));
  w.m.close();
}

namespace {

// A program drawn from a seed: tasks that each lock some mutexes one after the other, and keep them. Who
// goes first is the scheduler's; what each holds and wants in the end is noted, for the oracle.
struct random_program {
  static constexpr std::size_t tasks_max = 5;
  static constexpr std::size_t locks = 4;
  static constexpr int nothing = -1;

  std::array<mutex, locks> all;
  std::array<int, locks> holder{};
  std::array<int, tasks_max> wants{};
  std::array<void const*, tasks_max> task_of{};
  std::uint64_t state;

  explicit random_program(std::uint64_t seed) : state(seed) {
    holder.fill(nothing);
    wants.fill(nothing);
  }
  std::size_t draw(std::size_t below) { return plait::detail::splitmix64(state) % below; }

  task<> run(int who, std::vector<std::size_t> in_turn) {
    plait::detail::task_state& self = co_await plait::detail::this_task_state();
    auto const me = static_cast<std::size_t>(who);
    task_of[me] = &self;
    std::vector<mutex::guard> held;
    for (std::size_t const l : in_turn) {
      for (std::size_t pauses = draw(3); pauses > 0; --pauses) co_await plait::yield();
      wants[me] = static_cast<int>(l);
      held.push_back(co_await all[l].lock());
      wants[me] = nothing;
      holder[l] = who;
    }
    if (draw(2) == 0) co_await plait::sleep_forever();
    for (std::size_t const l : in_turn) holder[l] = nothing;
  }

  // By the definition: follow who holds what each wants; who comes back to itself is in a cycle.
  std::vector<void const*> in_cycles(std::size_t tasks) const {
    std::vector<void const*> found;
    for (std::size_t t = 0; t < tasks; ++t) {
      int at = static_cast<int>(t);
      for (std::size_t steps = 0; steps < tasks && at != nothing; ++steps) {
        int const wanted = wants[static_cast<std::size_t>(at)];
        at = wanted == nothing ? nothing : holder[static_cast<std::size_t>(wanted)];
        if (at == static_cast<int>(t)) {
          found.push_back(task_of[t]);
          break;
        }
      }
    }
    return found;
  }
};

std::vector<void const*> sorted(std::vector<void const*> tasks) {
  std::sort(tasks.begin(), tasks.end(), std::less<>());
  return tasks;
}

}  // namespace

TEST_CASE("deadlock: what is found in 10,000 random programs is what a search by the definition finds") {
  int wrong = 0;
  int with_deadlocks = 0;
  for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
    world w;
    random_program p(seed);
    std::size_t const tasks = 2 + p.draw(random_program::tasks_max - 1);
    for (std::size_t t = 0; t < tasks; ++t) {
      std::vector<std::size_t> in_turn{0, 1, 2, 3};
      for (std::size_t i = in_turn.size(); i > 1; --i) std::swap(in_turn[i - 1], in_turn[p.draw(i)]);
      in_turn.resize(1 + p.draw(random_program::locks));
      w.m.start(&random_program::run, &p, static_cast<int>(t), in_turn);
    }
    w.m.run_until_idle();
    std::vector<void const*> found;
    for (deadlock const& d : find_deadlocks(w.m.sched())) {
      for (plait::stuck_task const& t : d.cycle) found.push_back(t.task);
    }
    wrong += sorted(found) == sorted(p.in_cycles(tasks)) ? 0 : 1;
    with_deadlocks += found.empty() ? 0 : 1;
    w.m.close();
  }
  CHECK(wrong == 0);
  CHECK(with_deadlocks > 1'000);
  CHECK(with_deadlocks < 9'000);
}
