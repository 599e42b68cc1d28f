#include <plait/sync/banker.hpp>

#include "support/death.hpp"

#include <plait/deadlock.hpp>
#include <plait/deadlock_error.hpp>
#include <plait/detail/splitmix64.hpp>
#include <plait/select.hpp>
#include <plait/sleep.hpp>
#include <plait/sync/mutex.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/allocation_fault.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using plait::banker;
using plait::task;
using plait::testing::manual_scheduler;

namespace {

using florins = banker<1>;

// Notes its name when it has it, and keeps it for as many milliseconds.
task<> borrow(florins::claimant& mine, std::size_t amount, int ms, std::string& order) {
  auto const held = co_await mine.acquire({amount});
  order += mine.name();
  co_await plait::sleep_for(std::chrono::milliseconds(ms));
}

template <std::size_t Kinds>
std::string names(std::vector<typename banker<Kinds>::claimant const*> const& claims) {
  std::string text;
  for (auto const* c : claims) text += c->name();
  return text;
}

}  // namespace

TEST_CASE("banker: what is there and safe is given at once, and comes back with the loan") {
  banker bank({3, 2});
  auto a = bank.claim({2, 2}, "a");
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto first = co_await a.acquire({1, 2});
    CHECK(bank.available() == std::array<std::size_t, 2>{2, 0});
    auto const second = co_await a.acquire({1, 0});
    CHECK(a.held() == a.max());
    auto moved = std::move(first);
    moved.release();
    CHECK(bank.available() == std::array<std::size_t, 2>{2, 2});
    auto const tried = a.try_acquire({0, 1});
    CHECK(tried.has_value());
    CHECK(bank.is_safe());
  });
  CHECK(bank.available() == std::array<std::size_t, 2>{3, 2});
}

TEST_CASE("banker: a request that is not safe waits although enough is there; one that is goes before it") {
  banker bank({10}, "florins");
  auto p = bank.claim({8}, "p");
  auto q = bank.claim({3}, "q");
  auto r = bank.claim({9}, "r");
  std::string order;
  manual_scheduler m;
  m.on_thread([&] {
    auto const of_p = p.try_acquire({4});
    auto const of_q = q.try_acquire({2});
    auto of_r = r.try_acquire({2});
    REQUIRE((of_p && of_q && of_r));
    CHECK(names<1>(bank.safe_sequence()) == "qpr");  // 2 are free: q can end, then p, then r
    CHECK_FALSE(r.would_be_safe({1}));  // q could end, and 3 would be free: too few for p and for r
    CHECK(q.would_be_safe({1}));
    CHECK_FALSE(q.would_be_safe({2}));
    CHECK_FALSE(r.try_acquire({1}).has_value());
    m.start(borrow, std::ref(r), std::size_t(1), 1, std::ref(order));
    m.run_until_idle();
    CHECK(order == "");
    m.start(borrow, std::ref(q), std::size_t(1), 1, std::ref(order));
    m.run_until_idle();
    CHECK(order == "q");
    of_r->release();
    CHECK(r.held()[0] == 1);
    m.run_until_idle();
    CHECK(order == "qr");
    m.run_until_quiet();
  });
  CHECK(bank.available()[0] == 10);
}

TEST_CASE("banker: more than was claimed, and more than there is, throw and change nothing") {
  banker bank({3, 1});
  CHECK_THROWS_AS(bank.claim({4, 0}), std::logic_error);
  auto a = bank.claim({2, 1});
  manual_scheduler m;
  m.run([&]() -> task<> {
    CHECK_THROWS_AS(co_await a.acquire({3, 0}), std::logic_error);
    auto const held = co_await a.acquire({1, 1});
    CHECK_THROWS_AS(co_await a.acquire({2, 0}), std::logic_error);
    CHECK_THROWS_AS(a.try_acquire({0, 1}), std::logic_error);
    CHECK(bank.available() == std::array<std::size_t, 2>{2, 0});
  });
  CHECK(bank.safe_sequence() == std::vector<banker<2>::claimant const*>{&a});
}

TEST_CASE("banker: a newcomer goes before the first in the queue only where that one can have all it needs") {
  using three = banker<3>;
  three bank({5, 4, 2});
  auto holds = bank.claim({3, 0, 0}, "h");
  auto waits = bank.claim({4, 1, 0}, "w");
  auto large = bank.claim({2, 0, 0}, "l");
  auto small = bank.claim({1, 3, 0}, "s");
  auto next = bank.claim({1, 0, 0}, "n");
  auto one = bank.claim({0, 0, 1}, "1");
  auto two = bank.claim({0, 0, 2}, "2");
  std::string order;
  auto const take = [&](three::claimant& by, three::amounts wanted) -> task<> {
    auto const held = co_await by.acquire(wanted);
    order += by.name();
    co_await plait::sleep_forever();
  };
  manual_scheduler m;
  m.on_thread([&] {
    auto of_holds = holds.try_acquire({3, 0, 0});
    m.start(std::cref(take), std::ref(waits), three::amounts{3, 0, 0});
    m.run_until_idle();
    CHECK(large.would_be_safe({1, 0, 0}));
    CHECK_FALSE(large.try_acquire({1, 0, 0}).has_value());  // it may come to 2, which are too many beside 4
    auto of_small = small.try_acquire({1, 0, 0});
    CHECK(of_small.has_value());
    CHECK(next.would_be_safe({1, 0, 0}));
    CHECK_FALSE(next.try_acquire({1, 0, 0}).has_value());
    auto const of_one = one.try_acquire({0, 0, 1});
    CHECK(two.try_acquire({0, 0, 1}).has_value());  // of a kind that the first in the queue does not need
    of_small.reset();
    CHECK(next.try_acquire({1, 0, 0}).has_value());
    CHECK(order == "");
    of_holds.reset();
    m.run_until_idle();
    CHECK(order == "w");
    CHECK(large.try_acquire({1, 0, 0}).has_value());  // nobody waits
    m.close();
  });
}

TEST_CASE("banker: a stream of small requests does not starve a large one") {
  banker bank({3});
  auto large = bank.claim({3}, "L");
  std::string order;
  auto const small = [&](char const* name) -> task<> {
    auto mine = bank.claim({1}, name);
    for (int i = 0; i < 50; ++i) co_await borrow(mine, 1, 2, order);
  };
  auto const come_later = [&]() -> task<> {
    co_await plait::sleep_for(3ms);
    auto const held = co_await large.acquire({2});
    order += 'L';
    co_await borrow(large, 1, 2, order);
  };
  manual_scheduler m;
  for (char const* name : {"a", "b", "c", "d"}) m.start(std::cref(small), name);
  m.start(std::cref(come_later));
  m.run_until_quiet();
  CHECK(order.substr(0, 12) == "abcdabcLdabL");
  CHECK(order.size() == 202);
}

TEST_CASE("banker: who gives up has taken nothing, and lets those behind it go") {
  banker bank({4});
  auto a = bank.claim({3}, "a");
  auto b = bank.claim({3}, "b");
  auto c = bank.claim({3}, "c");
  std::string order;
  bool untouched = false;
  auto const impatient = [&]() -> task<> {
    auto const got = co_await plait::select(b.acquire({2}), b.acquire({3}), plait::sleep_for(2ms));
    order += got.index() == 2 ? 't' : '!';
    untouched = b.held()[0] == 0;
  };
  manual_scheduler m;
  m.start(borrow, std::ref(a), std::size_t(2), 5, std::ref(order));
  m.start(std::cref(impatient));
  m.start(borrow, std::ref(c), std::size_t(1), 1, std::ref(order));
  m.run_until_idle();
  CHECK(order == "a");
  m.advance(2ms);
  CHECK(order == "act");
  CHECK(untouched);
  m.run_until_quiet();
}

TEST_CASE("banker: a wait allocates nothing") {
  banker bank({2});
  auto a = bank.claim({2}, "a");
  auto b = bank.claim({2}, "b");
  bool got = false;
  auto const wait = [&]() -> task<> {
    auto const held = co_await b.acquire({2});
    got = true;
  };
  manual_scheduler m;
  long seen = -1;
  m.on_thread([&] {
    auto held = a.try_acquire({1});
    m.start(std::cref(wait));
    {
      plait::testing::allocation_fault const none(0);
      m.run_until_idle();
      held.reset();
      m.run_until_idle();
      seen = none.seen();
    }
  });
  CHECK(got);
  CHECK(seen == 0);
}

TEST_CASE("banker: tasks that also wait for something else are found in their deadlock, and told") {
  std::vector<std::string> reports;
  banker bank({2}, "buffers");
  plait::mutex file("file");
  int refused = 0;
  auto const borrow_first = [&]() -> task<> {
    auto mine = bank.claim({2});
    auto const held = co_await mine.acquire({1});
    co_await plait::yield();
    try {
      auto const locked = co_await file.lock();
    } catch (plait::deadlock_error const&) {
      ++refused;
    }
  };
  auto const lock_first = [&]() -> task<> {
    auto mine = bank.claim({2});
    auto const locked = co_await file.lock();
    co_await plait::yield();
    try {
      auto const held = co_await mine.acquire({1});
    } catch (plait::deadlock_error const&) {
      ++refused;
    }
  };
  manual_scheduler m;
  m.sched().on_deadlock = [&](std::string const& text) { reports.push_back(text); };
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
      g.spawn(plait::named("borrower", std::cref(borrow_first)));
      g.spawn(plait::named("locker", std::cref(lock_first)));
      co_await g.join();
    });
  });
  REQUIRE(reports.size() == 1);
  auto const says = [&](char const* text) { return reports[0].find(text) != std::string::npos; };
  CHECK(says("deadlock: 2 tasks wait for each other"));
  CHECK(says("for banker \"buffers\", held by task \"borrower\" since banker.cpp:"));
  CHECK(says("for mutex \"file\", held by task \"locker\" since banker.cpp:"));
  CHECK(refused == 2);
  CHECK(bank.available()[0] == 2);
}

TEST_CASE("banker: claims that hold something, and bankers with claims, stop the program when they go") {
  CHECK(plait::test::in_child([] {
          florins bank({1});
          auto held = std::optional<florins::loan>();
          auto mine = bank.claim({1});
          held = mine.try_acquire({1});
        }).says("a claim on a banker was destroyed before what was acquired by it"));
  CHECK(plait::test::in_child([] {
          auto bank = std::make_unique<florins>(florins::amounts{1});
          auto mine = bank->claim({1});
          bank.reset();
        }).says("a banker was destroyed before what was claimed of it"));
}

namespace {

// A program drawn from a seed: tasks that claim, acquire, give back and give up, all of which can end. What
// the banker has decided is looked at after each step, with what the definitions say.
struct random_program {
  static constexpr std::size_t kinds = 2;
  static constexpr std::size_t tasks_max = 6;
  using bank_type = banker<kinds>;
  using amounts = bank_type::amounts;

  struct member {
    bank_type::claimant* claim = nullptr;
    amounts had{};                 // before it waited
    std::optional<amounts> wants;  // while it waits, or has not gone on yet
    plait::time_point until{};     // it gives up
    bool held_before = false;      // since before the first in the queue became that
  };

  std::uint64_t state;
  amounts total;
  bank_type bank;
  std::array<member, tasks_max> members;
  std::vector<std::size_t> queue;  // in the order in which they came; some have been served
  std::size_t first = tasks_max;   // of those that wait, at the last look
  int wrong = 0;
  int unsafe = 0;  // waits for what was there, at each look
  int ended = 0;

  explicit random_program(std::uint64_t seed)
      : state(seed), total{1 + draw(4), 1 + draw(4)}, bank(total) {}

  std::size_t draw(std::size_t below) { return plait::detail::splitmix64(state) % below; }
  amounts draw_within(amounts const& limit) { return {draw(limit[0] + 1), draw(limit[1] + 1)}; }

  static bool fits(amounts const& a, amounts const& into) { return a[0] <= into[0] && a[1] <= into[1]; }
  static amounts sum(amounts const& a, amounts const& b) { return {a[0] + b[0], a[1] + b[1]}; }
  static amounts rest(amounts const& of, amounts const& a) { return {of[0] - a[0], of[1] - a[1]}; }
  static bool nothing(amounts const& a) { return a == amounts{}; }

  // Tries every order.
  static bool all_can_end(std::vector<std::pair<amounts, amounts>> const& max_and_held, unsigned ended_ones,
                          amounts const& free) {
    bool all = true;
    for (std::size_t i = 0; i < max_and_held.size(); ++i) {
      if ((ended_ones >> i & 1) != 0) continue;
      all = false;
      auto const& [max, held] = max_and_held[i];
      if (fits(rest(max, held), free) && all_can_end(max_and_held, ended_ones | 1u << i, sum(free, held))) {
        return true;
      }
    }
    return all;
  }
  bool safe_if_given(std::size_t to, amounts const& what) const {
    std::vector<std::pair<amounts, amounts>> all;
    for (std::size_t i = 0; i < tasks_max; ++i) {
      if (members[i].claim == nullptr) continue;
      amounts const held = members[i].claim->held();
      all.emplace_back(members[i].claim->max(), i == to ? sum(held, what) : held);
    }
    return all_can_end(all, 0, rest(bank.available(), what));
  }
  bool holds(std::size_t i) const {
    return members[i].claim != nullptr && !nothing(members[i].claim->held());
  }
  bool waits(std::size_t i) const {
    member const& m = members[i];
    return m.wants && m.claim->held() == m.had && plait::scheduler::current().now() < m.until;
  }

  void look() {
    amounts all = bank.available();
    for (member const& m : members) all = m.claim == nullptr ? all : sum(all, m.claim->held());
    bool right = all == total && safe_if_given(tasks_max, {}) && bank.is_safe();
    std::size_t now_first = tasks_max;
    for (std::size_t const i : queue) {
      if (!waits(i)) continue;
      bool const is_first = now_first == tasks_max;
      if (is_first) now_first = i;
      bool const is_there = fits(*members[i].wants, bank.available());
      bool const can_go = is_there && safe_if_given(i, *members[i].wants);
      unsafe += is_there && !can_go ? 1 : 0;
      right = right && !(can_go && (is_first || holds(i)));
    }
    bool waits_for_somebody = now_first == tasks_max;
    for (std::size_t i = 0; i < tasks_max; ++i) {
      member& m = members[i];
      m.held_before = holds(i) && i != now_first && (m.held_before || now_first != first);
      waits_for_somebody = waits_for_somebody || m.held_before;
    }
    first = now_first;
    wrong += right && waits_for_somebody ? 0 : 1;
  }

  task<> pause() {
    if (draw(2) == 0) {
      co_await plait::yield();
    } else {
      co_await plait::sleep_for(std::chrono::milliseconds(draw(3)));
    }
  }

  task<> acquire_some(std::size_t i, std::vector<bank_type::loan>& into) {
    member& me = members[i];
    amounts const wanted = draw_within(rest(me.claim->max(), me.claim->held()));
    if (nothing(wanted)) co_return;
    me.had = me.claim->held();
    me.wants = wanted;
    queue.push_back(i);
    auto const patience = draw(4) == 0 ? plait::duration(1ms) : plait::duration(1h);
    me.until = plait::scheduler::current().now() + patience;
    auto got = co_await plait::select(me.claim->acquire(wanted), plait::sleep_until(me.until));
    if (auto* const loan = std::get_if<0>(&got)) into.push_back(std::move(*loan));
    me.wants.reset();
    std::erase(queue, i);
    look();
  }

  task<> run(std::size_t i) {
    auto mine = bank.claim(draw_within(total));
    members[i].claim = &mine;
    for (std::size_t rounds = 1 + draw(2); rounds > 0; --rounds) {
      std::vector<bank_type::loan> held;
      for (std::size_t steps = 1 + draw(3); steps > 0; --steps) {
        co_await pause();
        co_await acquire_some(i, held);
      }
      while (!held.empty()) {
        co_await pause();
        held.pop_back();
        look();
      }
    }
    members[i].claim = nullptr;
    ++ended;
  }
};

}  // namespace

// Safe by every order that there is; whoever can go goes, if it is first or holds something; and the first
// in the queue waits only while somebody holds something who did when it became the first.
TEST_CASE("banker: in 10,000 random programs it decides as a search through all orders does") {
  int wrong = 0;
  int not_ended = 0;
  int unsafe = 0;
  for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
    random_program p(seed);
    int const tasks = 2 + static_cast<int>(p.draw(random_program::tasks_max - 1));
    manual_scheduler m;
    for (int t = 0; t < tasks; ++t) m.start(&random_program::run, &p, static_cast<std::size_t>(t));
    m.run_until_quiet();
    wrong += p.wrong == 0 ? 0 : 1;
    not_ended += p.ended == tasks ? 0 : 1;
    unsafe += p.unsafe == 0 ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(not_ended == 0);
  CHECK(unsafe > 1'000);
}
