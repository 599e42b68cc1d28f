// oneshot, watch and broadcast.
#include <plait/channel/broadcast.hpp>
#include <plait/channel/oneshot.hpp>
#include <plait/channel/watch.hpp>

#include "support/death.hpp"

#include <plait/deadlock_error.hpp>
#include <plait/select.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::broadcast;
using plait::oneshot;
using plait::select;
using plait::sleep_for;
using plait::task;
using plait::task_group;
using plait::watch;
using plait::testing::manual_scheduler;

namespace {

using answer = std::unique_ptr<int>;

task<> answer_after(oneshot<answer>::sender to, plait::duration delay, int value) {
  co_await sleep_for(delay);
  CHECK(to.send(std::make_unique<int>(value)));
  CHECK_FALSE(to.is_wanted());
}
task<> leave_after(oneshot<answer>::sender, plait::duration delay) { co_await sleep_for(delay); }
task<> fail_after_a_while(oneshot<answer>::sender to) {
  co_await sleep_for(1ms);
  CHECK(to.fail(std::make_exception_ptr(std::out_of_range("no such row"))));
}

// In a group, whose children get their ends of it.
template <class Body>
void with_children(manual_scheduler& m, Body& body) {
  m.run([&]() -> task<> { co_await plait::with_task_group(body); });
}

}  // namespace

TEST_CASE("oneshot: the value arrives, whether it was sent before or while the receiver waits") {
  oneshot<answer> early;
  oneshot<answer> late;
  manual_scheduler m;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(answer_after, early.make_sender(), 1ms, 1);
    g.spawn(answer_after, late.make_sender(), 9ms, 2);
    co_await sleep_for(5ms);
    CHECK(early.ready());
    CHECK_FALSE(late.ready());
    answer const first = co_await early.receive();
    answer const second = co_await late.receive();
    CHECK(*first == 1);
    CHECK(*second == 2);
  };
  with_children(m, body);
}

TEST_CASE("oneshot: a sender that goes without a word ends the receive with sender_gone") {
  oneshot<answer> early;
  oneshot<answer> late;
  manual_scheduler m;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(leave_after, early.make_sender(), 1ms);
    g.spawn(leave_after, late.make_sender(), 9ms);
    co_await sleep_for(5ms);
    CHECK_THROWS_AS(co_await early.receive(), plait::sender_gone);
    CHECK_THROWS_AS(co_await late.receive(), plait::sender_gone);
  };
  with_children(m, body);
}

TEST_CASE("oneshot: what the sender fails with comes out of the receive") {
  oneshot<answer> row;
  manual_scheduler m;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(fail_after_a_while, row.make_sender());
    CHECK_THROWS_AS(co_await row.receive(), std::out_of_range);
  };
  with_children(m, body);
}

TEST_CASE("oneshot: a sender whose receiver is gone keeps its value") {
  auto there = std::make_unique<oneshot<answer>>();
  auto to = there->make_sender();
  CHECK(to.is_wanted());
  there.reset();
  auto value = std::make_unique<int>(7);
  CHECK_FALSE(to.is_wanted());
  CHECK_FALSE(to.send(std::move(value)));
  CHECK(*value == 7);
  CHECK_FALSE(to.fail(nullptr));
}

TEST_CASE("oneshot: a receive that was cancelled, or lost in a select, has taken nothing") {
  oneshot<answer> row;
  manual_scheduler m;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(answer_after, row.make_sender(), 5ms, 3);
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, row.receive()), plait::timed_out);
    auto const chosen = co_await select(row.receive(), sleep_for(1ms));
    CHECK(chosen.index() == 1);
    answer const got = co_await row.receive();
    CHECK(*got == 3);
  };
  with_children(m, body);
}

TEST_CASE("oneshot: there is one sender, and one value") {
  oneshot<int> number;
  auto to = number.make_sender();
  CHECK_THROWS_AS(number.make_sender(), std::logic_error);
  CHECK(to.send(1));
  CHECK_FALSE(to.send(2));
  manual_scheduler m;
  m.run([&]() -> task<> {
    int const got = co_await number.receive();
    CHECK(got == 1);
    CHECK_THROWS_AS(co_await number.receive(), std::logic_error);
  });
}

TEST_CASE("oneshot: a receive that nobody can end any more is a deadlock, and says for what") {
  oneshot<int> number("the number");
  auto const to = number.make_sender();
  manual_scheduler m;
  std::string report;
  m.sched().on_deadlock = [&](std::string const& text) { report = text; };
  m.run([&]() -> task<> { CHECK_THROWS_AS(co_await number.receive(), plait::deadlock_error); });
  CHECK(report.find("receive \"the number\"") != std::string::npos);
}

namespace {

task<> note_changes(watch<int>::receiver seen, std::vector<int>& values) {
  for (bool more = co_await seen.changed(); more; more = co_await seen.changed()) {
    values.push_back(seen.value());
  }
}
task<> note_when_above(watch<int>& level, int limit, std::string& order, char name) {
  auto seen = level.subscribe();
  auto const above = [limit](int now) { return now > limit; };
  bool const held = co_await seen.wait_for(above);
  order += held ? name : '-';
}

}  // namespace

TEST_CASE("watch: each receiver is woken by a change, and sees the latest value alone") {
  watch<int> level(0);
  std::vector<int> one;
  std::vector<int> other;
  manual_scheduler m;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(note_changes, level.subscribe(), std::ref(one));
    g.spawn(note_changes, level.subscribe(), std::ref(other));
    CHECK(level.receivers() == 2);
    co_await sleep_for(1ms);
    level.send(1);
    co_await sleep_for(1ms);
    level.send(2);
    level.modify([](int& now) { ++now; });
    co_await sleep_for(1ms);
    level.close();
    co_await g.join();
  };
  with_children(m, body);
  CHECK(one == std::vector{1, 3});
  CHECK(other == std::vector{1, 3});
  CHECK(level.version() == 3);
  CHECK(level.receivers() == 0);
}

TEST_CASE("watch: who subscribes has seen the value of now") {
  watch<int> level(0);
  manual_scheduler m;
  m.run([&]() -> task<> {
    level.send(4);
    auto seen = level.subscribe();
    CHECK(seen.value() == 4);
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, seen.changed()), plait::timed_out);
    level.send(5);
    bool const changed = co_await seen.changed();
    CHECK(changed);
    CHECK(seen.value() == 5);
  });
}

TEST_CASE("watch: after close a receiver still sees what is new, once") {
  watch<int> level(0);
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto seen = level.subscribe();
    level.send(1);
    level.close();
    bool const first = co_await seen.changed();
    bool const again = co_await seen.changed();
    CHECK(first);
    CHECK_FALSE(again);
    CHECK(seen.value() == 1);
  });
}

TEST_CASE("watch: wait_for goes on once its condition holds, and says where it never will") {
  watch<int> level(0);
  std::string order;
  manual_scheduler m;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(note_when_above, std::ref(level), 5, std::ref(order), 'b');
    g.spawn(note_when_above, std::ref(level), 2, std::ref(order), 'a');
    g.spawn(note_when_above, std::ref(level), -1, std::ref(order), 'n');
    g.spawn(note_when_above, std::ref(level), 99, std::ref(order), 'c');
    for (int const now : {1, 3, 9}) {
      co_await sleep_for(1ms);
      level.send(now);
    }
    co_await sleep_for(1ms);
    level.close();
    co_await g.join();
  };
  with_children(m, body);
  CHECK(order == "nab-");
}

TEST_CASE("watch: what a change throws is told to nobody") {
  watch<int> level(0);
  auto const failing = [](int&) { throw std::runtime_error("no"); };
  CHECK_THROWS_AS(level.modify(failing), std::runtime_error);
  CHECK(level.version() == 0);
}

namespace {

struct read_item {
  int item;
  std::uint64_t missed;
  bool operator==(read_item const&) const = default;
};

task<> note_news(broadcast<int>::receiver mine, std::vector<read_item>& got) {
  for (auto next = co_await mine.receive(); next; next = co_await mine.receive()) {
    got.push_back({next->item, next->missed});
  }
}

// Its copies throw while `fails` says so.
struct moody {
  explicit moody(int n) : value(n) {}
  moody(moody&&) noexcept = default;
  moody(moody const& other) : value(other.value) {
    if (fails) throw std::runtime_error("no copy today");
  }
  static inline bool fails = false;
  int value;
};

}  // namespace

TEST_CASE("broadcast: every receiver gets every item, in order") {
  broadcast<int> news(4);
  std::vector<read_item> one;
  std::vector<read_item> other;
  manual_scheduler m;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(note_news, news.subscribe(), std::ref(one));
    g.spawn(note_news, news.subscribe(), std::ref(other));
    for (int i = 0; i < 10; ++i) {
      CHECK(news.send(i) == 2);
      co_await plait::yield();
    }
    news.close();
    co_await g.join();
  };
  with_children(m, body);
  REQUIRE(one.size() == 10);
  for (int i = 0; i < 10; ++i) CHECK(one[static_cast<std::size_t>(i)] == read_item{i, 0});
  CHECK(other == one);
}

TEST_CASE("broadcast: a receiver that falls behind goes on with the oldest kept, and learns what it missed") {
  broadcast<int> news(3);
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto slow = news.subscribe();
    for (int i = 0; i < 10; ++i) news.send(i);
    auto const first = co_await slow.receive();
    auto const second = co_await slow.receive();
    REQUIRE((first && second));
    CHECK(first->item == 7);
    CHECK(first->missed == 7);
    CHECK(second->item == 8);
    CHECK(second->missed == 0);
  });
}

TEST_CASE("broadcast: a late subscriber begins with the next item, and close lets what is kept be received") {
  broadcast<int> news(8);
  manual_scheduler m;
  CHECK(news.send(1) == 0);
  m.run([&]() -> task<> {
    auto mine = news.subscribe();
    CHECK_FALSE(mine.try_receive());
    news.send(2);
    news.close();
    news.close();
    auto const got = co_await mine.receive();
    auto const end = co_await mine.receive();
    REQUIRE(got);
    CHECK(got->item == 2);
    CHECK_FALSE(end);
    CHECK_THROWS_AS(news.send(3), plait::channel_closed);
  });
}

TEST_CASE("broadcast: a receive that was cancelled, or lost in a select, has taken nothing") {
  broadcast<int> news(8);
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto mine = news.subscribe();
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, mine.receive()), plait::timed_out);
    auto const chosen = co_await select(mine.receive(), sleep_for(1ms));
    CHECK(chosen.index() == 1);
    news.send(5);
    auto const got = co_await mine.receive();
    REQUIRE(got);
    CHECK(got->item == 5);
    CHECK(got->missed == 0);
  });
}

TEST_CASE("broadcast: where the copy throws, the item is still there") {
  broadcast<moody> news(2);
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto mine = news.subscribe();
    news.send(moody(6));
    moody::fails = true;
    CHECK_THROWS_AS(co_await mine.receive(), std::runtime_error);
    moody::fails = false;
    auto const got = co_await mine.receive();
    REQUIRE(got);
    CHECK(got->item.value == 6);
  });
}

TEST_CASE("broadcast: it keeps one item at least") {
  CHECK_THROWS_AS(broadcast<int>(0), std::invalid_argument);
}

TEST_CASE("watch, broadcast: one that is destroyed before its receivers ends the program and says so") {
  auto const level = plait::test::in_child([] {
    auto value = std::make_unique<watch<int>>(0);
    auto const seen = value->subscribe();
    value.reset();
  });
  CHECK(level.aborted());
  CHECK(level.says("a watch was destroyed while it has receivers"));
  auto const news = plait::test::in_child([] {
    auto items = std::make_unique<broadcast<int>>(1);
    auto const mine = items->subscribe();
    items.reset();
  });
  CHECK(news.aborted());
  CHECK(news.says("a broadcast was destroyed while it has receivers"));
}
