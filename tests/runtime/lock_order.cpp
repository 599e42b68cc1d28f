#include <plait/sync/lock_order.hpp>

#include "support/death.hpp"

#include <plait/detail/splitmix64.hpp>
#include <plait/select.hpp>
#include <plait/sleep.hpp>
#include <plait/sync/condition.hpp>
#include <plait/sync/lock_all.hpp>
#include <plait/sync/mutex.hpp>
#include <plait/sync/recursive_mutex.hpp>
#include <plait/sync/shared_mutex.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::lock_level;
using plait::lock_order_error;
using plait::mutex;
using plait::task;
using plait::testing::manual_scheduler;

namespace {

// A scheduler whose locks look at their order.
struct world {
  world() {
    m.sched().on_lock_order = [this](std::string const& text) { reports.push_back(text); };
    check(true);
  }
  ~world() { check(false); }  // new schedulers, too
  void check(bool on) {
    m.on_thread([on] { plait::check_lock_order(on); });
  }
  void run(std::function<task<>()> const& body) { m.run(body); }
  bool says(std::string const& text) const {
    return !reports.empty() && reports.back().find(text) != std::string::npos;
  }

  std::vector<std::string> reports;
  manual_scheduler m;
};

template <class First, class Second>
task<> lock_both(First& first, Second& second) {
  auto const one = co_await first.lock();
  auto const two = co_await second.lock();
}

std::string at(int line) { return "lock_order.cpp:" + std::to_string(line); }

}  // namespace

TEST_CASE("lock order: two locks taken both ways are reported at once, though nothing hangs") {
  world w;
  mutex a("a");
  mutex b("b");
  int right = 0;
  int wrong = 0;
  auto const body = [&]() -> task<> {
    co_await plait::set_task_name("main");
    {
      right = __LINE__ + 1;
      auto const first = co_await a.lock();
      auto const second = co_await b.lock();
    }
    CHECK(w.reports.empty());
    wrong = __LINE__ + 1;
    auto const first = co_await b.lock();
    auto const second = co_await a.lock();
  };
  w.run(body);
  REQUIRE(w.reports.size() == 1);
  CHECK(w.reports[0] == "lock order: task \"main\" takes mutex \"a\" at " + at(wrong + 1) +
                            "\n  while it holds mutex \"b\" since " + at(wrong) +
                            "\n  which may come to a deadlock, for" +
                            "\n  task \"main\" took mutex \"b\" at " + at(right + 1) +
                            "\n    while it held mutex \"a\" since " + at(right));
}

TEST_CASE("lock order: a circle of several locks and tasks is told with each step, the shortest way") {
  world w;
  mutex a("a");
  mutex b("b");
  mutex c("c");
  mutex d("d");
  w.m.start(plait::named("1", lock_both<mutex, mutex>), std::ref(a), std::ref(b));
  w.m.start(plait::named("2", lock_both<mutex, mutex>), std::ref(b), std::ref(c));
  w.m.start(plait::named("3", lock_both<mutex, mutex>), std::ref(c), std::ref(d));
  w.m.start(plait::named("4", lock_both<mutex, mutex>), std::ref(a), std::ref(d));
  w.m.run_until_idle();
  CHECK(w.reports.empty());
  w.m.start(plait::named("5", lock_both<mutex, mutex>), std::ref(c), std::ref(a));
  w.m.run_until_idle();
  CHECK(w.says("task \"5\" takes mutex \"a\" at lock_order.cpp:"));
  CHECK(w.says("task \"1\" took mutex \"b\""));
  CHECK(w.says("task \"2\" took mutex \"c\""));
  CHECK_FALSE(w.says("task \"3\""));
  w.m.start(plait::named("6", lock_both<mutex, mutex>), std::ref(d), std::ref(a));
  w.m.run_until_idle();
  CHECK(w.reports.size() == 2);
  CHECK(w.says("task \"4\" took mutex \"d\""));
}

TEST_CASE("lock order: each pair is told once, and what was wrong makes nothing else wrong") {
  world w;
  mutex a;
  mutex b;
  for (int i = 0; i < 3; ++i) {
    w.run([&] { return lock_both(a, b); });
    w.run([&] { return lock_both(b, a); });
  }
  CHECK(w.reports.size() == 1);
}

TEST_CASE("lock order: levels have to rise, also where no two tasks meet") {
  world w;
  mutex low("low", lock_level(1));
  plait::recursive_mutex high("high", lock_level(2));
  plait::shared_mutex same("same", lock_level(2));
  mutex without;
  w.run([&] { return lock_both(low, high); });
  w.run([&] { return lock_both(high, without); });
  CHECK(w.reports.empty());
  w.run([&] { return lock_both(high, same); });
  CHECK(w.says("takes shared mutex \"same\" (level 2) at lock_order.cpp:"));
  CHECK(w.says("while it holds mutex \"high\" (level 2) since lock_order.cpp:"));
  CHECK(w.says("levels have to rise"));
  w.run([&] { return lock_both(same, low); });
  CHECK(w.reports.size() == 2);
  CHECK(w.says("takes mutex \"low\" (level 1)"));
}

TEST_CASE("lock order: a hook that throws makes the lock throw, each time, and nothing is taken") {
  world w;
  mutex low(nullptr, lock_level(1));
  mutex high(nullptr, lock_level(2));
  w.m.sched().on_lock_order = plait::throw_lock_order_error;
  auto const body = [&]() -> task<> {
    auto const held = co_await high.lock();
    for (int i = 0; i < 2; ++i) {
      CHECK_THROWS_AS(co_await low.lock(), lock_order_error);
      CHECK_THROWS_AS(co_await plait::select(low.lock(), plait::sleep_for(1ms)), lock_order_error);
      CHECK_THROWS_AS(co_await plait::lock_all(low), lock_order_error);
      CHECK_FALSE(low.locked());
    }
  };
  w.run(body);
  CHECK_FALSE(high.locked());
}

TEST_CASE("lock order: what was unlocked, released, or taken by try_lock is not held") {
  world w;
  mutex a;
  mutex b;
  w.run([&] { return lock_both(a, b); });
  auto const body = [&]() -> task<> {
    {
      auto held = co_await b.lock();
      held.unlock();
      auto const other = co_await a.lock();
    }
    auto held = co_await b.lock();
    held.release();
    { auto const other = co_await a.lock(); }
    b.unlock();
    auto const tried = b.try_lock();
    { auto const other = co_await a.lock(); }
  };
  w.run(body);
  CHECK(w.reports.empty());
}

TEST_CASE("lock order: try_lock is never wrong, and who locks again what it holds takes nothing new") {
  world w;
  mutex a;
  plait::recursive_mutex r;
  w.run([&] { return lock_both(a, r); });
  auto const body = [&]() -> task<> {
    auto const held = co_await r.lock();
    auto const tried = a.try_lock();
    CHECK(tried.has_value());
    auto const again = co_await r.lock();
  };
  w.run(body);
  auto const holds_both = [&]() -> task<> {
    auto const first = co_await r.lock();
    CHECK(w.reports.empty());
    auto const second = co_await a.lock();
    CHECK(w.reports.size() == 1);
    auto const again = co_await r.lock();
  };
  w.run(holds_both);
  CHECK(w.reports.size() == 1);
}

TEST_CASE("lock order: readers and writers of a shared mutex alike") {
  world w;
  mutex m;
  plait::shared_mutex s("s");
  auto const read_first = [&]() -> task<> {
    auto const reading = co_await s.lock_shared();
    auto const held = co_await m.lock();
  };
  w.run(read_first);
  auto const read_second = [&]() -> task<> {
    auto const held = co_await m.lock();
    auto const reading = co_await s.lock_shared();
  };
  w.run(read_second);
  CHECK(w.reports.size() == 1);
  CHECK(w.says("takes shared mutex \"s\""));
}

TEST_CASE("lock order: lock_all needs none among its own, but with what is held before") {
  world w;
  std::array<mutex, 2> own;
  mutex before;
  auto const both_ways = [&]() -> task<> {
    { auto const held = co_await plait::lock_all(own[0], own[1]); }
    auto const held = co_await plait::lock_all(own[1], own[0]);
    auto const under = co_await before.lock();
  };
  w.run(both_ways);
  w.run([&] { return lock_both(own[1], own[0]); });
  CHECK(w.reports.empty());
  auto const after = [&]() -> task<> {
    auto const held = co_await before.lock();
    auto const all = co_await plait::lock_all(own[0], own[1]);
  };
  w.run(after);
  CHECK(w.reports.size() == 2);  // for each of the two
}

TEST_CASE("lock order: a condition takes its mutex again after what was taken meanwhile") {
  world w;
  mutex m("m");
  mutex other("other");
  plait::condition changed;
  auto const wait = [&]() -> task<> {
    auto held = co_await m.lock();
    auto const both = co_await other.lock();
    co_await changed.wait(held);
  };
  w.m.start(std::cref(wait));
  w.m.run_until_idle();
  CHECK(w.reports.empty());
  w.m.on_thread([&] { changed.notify(); });
  w.m.run_until_idle();
  CHECK(w.reports.size() == 1);
  CHECK(w.says("takes mutex \"m\" at lock_order.cpp:"));
  CHECK(w.says("while it holds mutex \"other\""));
  CHECK_FALSE(m.locked());
}

TEST_CASE("lock order: of two cases of a select, the one that was granted is held") {
  std::size_t const granted = GENERATE(0u, 1u);
  world w;
  std::array<mutex, 2> either;
  mutex under;
  std::array<std::optional<mutex::guard>, 2> taken;
  auto const take = [&]() -> task<> {
    auto const got = co_await plait::select(either[0].lock(), either[1].lock());
    auto const held = co_await under.lock();
  };
  w.m.on_thread([&] {
    for (std::size_t i : {0u, 1u}) taken[i] = either[i].try_lock();
  });
  w.m.start(std::cref(take));
  w.m.run_until_idle();
  for (std::size_t i : {granted, 1 - granted}) {
    w.m.on_thread([&] { taken[i].reset(); });
    w.m.run_until_idle();
  }
  w.run([&] { return lock_both(under, either[1 - granted]); });
  CHECK(w.reports.empty());
  w.run([&] { return lock_both(under, either[granted]); });
  CHECK(w.reports.size() == 1);
}

TEST_CASE("lock order: a lock that is gone is forgotten, whoever comes in its place") {
  world w;
  mutex lasting;
  std::optional<mutex> passing;
  for (int i = 0; i < 10; ++i) {
    passing.emplace();
    if (i % 2 == 0) w.run([&] { return lock_both(lasting, *passing); });
    if (i % 2 == 1) w.run([&] { return lock_both(*passing, lasting); });
    passing.reset();
  }
  CHECK(w.reports.empty());
}

TEST_CASE("lock order: nobody looks unless it is asked for, by a call or by the environment") {
  world w;
  w.check(false);
  mutex a;
  mutex b;
  w.run([&] { return lock_both(a, b); });
  w.run([&] { return lock_both(b, a); });
  CHECK(w.reports.empty());
  CHECK_FALSE(manual_scheduler().sched().needs_attention());
  plait::check_lock_order(true);
  CHECK(manual_scheduler().sched().needs_attention());
  plait::check_lock_order(false);
  auto const asked = plait::test::run_this_binary("lock order: in another process", "PLAIT_LOCK_ORDER");
  CHECK(asked.says("plait: lock order: task \"second\" takes mutex \"left\""));
}

// For the case above, which runs it with PLAIT_LOCK_ORDER=1.
TEST_CASE("lock order: in another process", "[.]") {
  mutex left("left");
  mutex right("right");
  manual_scheduler m;
  m.start(plait::named("first", lock_both<mutex, mutex>), std::ref(left), std::ref(right));
  m.start(plait::named("second", lock_both<mutex, mutex>), std::ref(right), std::ref(left));
  m.run_until_idle();
  CHECK_FALSE(left.locked());
}

namespace {

constexpr std::size_t locks = 5;

// Which lock was taken under which, by the definition: a table, and all ways in it.
struct order_table {
  std::array<std::array<bool, locks>, locks> under{};

  bool leads(std::size_t from, std::size_t to, unsigned seen = 0) const {
    for (std::size_t next = 0; next < locks; ++next) {
      if (!under[from][next] || (seen >> next & 1) != 0) continue;
      if (next == to || leads(next, to, seen | 1u << next)) return true;
    }
    return false;
  }
};

struct random_order {
  explicit random_order(std::uint64_t seed) : state(seed) {}

  std::uint64_t state;
  std::array<mutex, locks> all;
  std::size_t reports = 0;
  order_table table;
  std::size_t expected = 0;
  std::array<std::array<bool, locks>, locks> told{};

  std::size_t draw(std::size_t below) { return plait::detail::splitmix64(state) % below; }

  void expect(std::vector<std::size_t> const& held, std::size_t wanted) {
    for (std::size_t const h : held) {
      if (told[h][wanted]) continue;
      if (table.leads(wanted, h)) {
        told[h][wanted] = true;
        ++expected;
      } else {
        table.under[h][wanted] = true;
      }
    }
  }

  task<> run() {
    for (int round = 0; round < 6; ++round) {
      std::vector<std::size_t> held;
      std::vector<mutex::guard> guards;
      for (std::size_t left = 1 + draw(3); left > 0; --left) {
        std::size_t const next = draw(locks);
        if (all[next].locked()) continue;
        expect(held, next);
        guards.push_back(co_await all[next].lock());
        held.push_back(next);
      }
    }
  }
};

}  // namespace

TEST_CASE("lock order: in 2,000 random programs it reports what closes a circle, and nothing else") {
  std::size_t wrong = 0;
  std::size_t reported = 0;
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    random_order p(seed);
    world w;
    w.m.sched().on_lock_order = [&](std::string const&) { ++p.reports; };
    w.run([&] { return p.run(); });
    wrong += p.reports == p.expected ? 0 : 1;
    reported += p.reports != 0 ? 1 : 0;
  }
  CHECK(wrong == 0);
  CHECK(reported > 200);
  CHECK(reported < 1'900);
}
