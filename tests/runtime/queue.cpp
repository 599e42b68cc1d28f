// queue, lifo_queue, priority_queue.
#include <plait/channel/queue.hpp>

#include "support/death.hpp"
#include "support/operations.hpp"

#include <plait/cancel.hpp>
#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/task_tree.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using plait::channel_closed;
using plait::lifo_queue;
using plait::priority_queue;
using plait::queue;
using plait::task;
using plait::task_group;
using plait::timed_out;
using plait::test::counted;
using plait::testing::manual_scheduler;

namespace {

template <class Queue>
std::vector<int> drain(Queue& q) {
  std::vector<int> got;
  for (auto one = q.try_get(); one; one = q.try_get()) got.push_back(*one);
  return got;
}

task<> get_into(queue<int>& from, std::optional<int>& into) { into = co_await from.get(); }
task<> put_into(queue<int>& to, int item) { co_await to.put(item); }
task<> note_closed(queue<int>& to, int item, std::string& log) {
  try {
    co_await to.put(item);
    log += 'p';
  } catch (channel_closed const&) {
    log += 'c';
  }
}
// In a scope that the test can cancel.
template <class Fn>
task<> cancellable(plait::cancel_scope*& scope, Fn fn) {
  auto const body = [&](plait::cancel_scope& s) -> task<> {
    scope = &s;
    co_await fn();
  };
  co_await plait::with_cancel_scope(body);
}
task<> join_and_note(queue<int>& of, bool& joined) {
  co_await of.join();
  joined = true;
}

struct by_length {
  bool operator()(std::string const& a, std::string const& b) const noexcept { return a.size() < b.size(); }
};

}  // namespace

TEST_CASE("queue: a queue gives the oldest first, a lifo_queue the newest, a priority_queue the smallest") {
  queue<int> fifo;
  lifo_queue<int> lifo;
  priority_queue<int> smallest;
  priority_queue<int, std::greater<int>> greatest;
  for (int const n : {2, 3, 1}) {
    CHECK(fifo.try_put(int(n)));
    CHECK(lifo.try_put(int(n)));
    CHECK(smallest.try_put(int(n)));
    CHECK(greatest.try_put(int(n)));
  }
  CHECK(drain(fifo) == std::vector{2, 3, 1});
  CHECK(drain(lifo) == std::vector{1, 3, 2});
  CHECK(drain(smallest) == std::vector{1, 2, 3});
  CHECK(drain(greatest) == std::vector{3, 2, 1});
}

TEST_CASE("queue: equal items of a priority_queue come out in the order in which they were put") {
  priority_queue<std::string, by_length> words;
  for (char const* word : {"cc", "aa", "z", "bb", "y"}) CHECK(words.try_put(word));
  std::string order;
  for (auto word = words.try_get(); word; word = words.try_get()) order += *word + ' ';
  CHECK(order == "z y cc aa bb ");
}

TEST_CASE("queue: items that only move go through all three kinds") {
  struct by_value {
    bool operator()(std::unique_ptr<int> const& a, std::unique_ptr<int> const& b) const { return *a < *b; }
  };
  auto const through = [](auto&& q) {
    manual_scheduler m;
    return m.run([&]() -> task<int> {
      co_await q.put(std::make_unique<int>(4));
      std::optional<std::unique_ptr<int>> const box = co_await q.get();
      co_return **box;
    });
  };
  CHECK(through(queue<std::unique_ptr<int>>()) == 4);
  CHECK(through(lifo_queue<std::unique_ptr<int>>(1)) == 4);
  CHECK(through(priority_queue<std::unique_ptr<int>, by_value>()) == 4);
}

TEST_CASE("queue: it knows its size, and 0 at most means any number") {
  queue<int> two(2, "two");
  CHECK(two.empty());
  CHECK(two.try_put(1));
  CHECK(two.try_put(2));
  CHECK(two.full());
  CHECK(two.size() == 2);
  CHECK(two.max_size() == 2);
  CHECK_FALSE(two.try_put(3));
  CHECK(std::string(two.name()) == "two");
  queue<int> any;
  for (int i = 0; i < 1000; ++i) CHECK(any.try_put(int(i)));
  CHECK_FALSE(any.full());
  CHECK(any.max_size() == 0);
  CHECK(any.size() == 1000);
  CHECK(drain(any).back() == 999);
}

TEST_CASE("queue: getters are served first come, first served, and so are putters") {
  queue<int> one(1);
  std::optional<int> first;
  std::optional<int> second;
  manual_scheduler m;
  m.start(get_into, std::ref(one), std::ref(first));
  m.start(get_into, std::ref(one), std::ref(second));
  m.run_until_idle();
  m.start(put_into, std::ref(one), 1);
  m.run_until_idle();
  CHECK(first == 1);
  CHECK_FALSE(second.has_value());
  for (int const n : {2, 3, 4, 5}) m.start(put_into, std::ref(one), n);
  m.run_until_idle();
  CHECK(second == 2);
  CHECK(one.size() == 1);
  CHECK(m.on_thread([&] { return drain(one); }) == std::vector{3, 4, 5});
}

TEST_CASE("queue: a cancelled get takes nothing, and a cancelled put puts nothing") {
  queue<int> one(1);
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto const get = [&]() -> task<> { co_await one.get(); };
    bool const got = co_await plait::move_on_after(1ms, get);
    CHECK_FALSE(got);
    co_await one.put(1);
    auto const put = [&]() -> task<> { co_await one.put(2); };
    bool const put_in_time = co_await plait::move_on_after(1ms, put);
    CHECK_FALSE(put_in_time);
    CHECK(one.unfinished() == 1);
    bool late = false;
    try {
      co_await plait::with_timeout(1ms, one.put(3));
    } catch (timed_out const&) {
      late = true;
    }
    CHECK(late);
  });
  CHECK(drain(one) == std::vector{1});
}

TEST_CASE("queue: what was handed over to a task of another scheduler is delivered, cancelled or not") {
  queue<int> q;
  std::optional<int> got;
  manual_scheduler there;
  plait::cancel_scope* scope = nullptr;
  auto const get = [&](plait::cancel_scope& s) -> task<> {
    scope = &s;
    got = co_await q.get();
  };
  there.start([&]() -> task<> {
    bool const returned = co_await plait::with_cancel_scope(get);
    CHECK(returned);
  });
  there.run_until_idle();
  CHECK(q.try_put(5));  // from a thread without a scheduler: the call is on its way
  CHECK(q.empty());
  there.on_thread([&] { scope->cancel(); });
  there.run_until_idle();
  CHECK(got == 5);
}

TEST_CASE("queue: a task that was cancelled before leaves the item to the next one") {
  queue<int> q;
  std::optional<int> first;
  std::optional<int> second;
  manual_scheduler here;
  manual_scheduler there;
  plait::cancel_scope* scope = nullptr;
  auto const get_first = [&] { return get_into(q, first); };
  here.start([&] { return cancellable(scope, get_first); });
  here.run_until_idle();
  there.start(get_into, std::ref(q), std::ref(second));
  there.run_until_idle();
  here.on_thread([&] { scope->cancel(); });
  CHECK(q.try_put(5));
  here.run_until_idle();
  there.run_until_idle();
  CHECK_FALSE(first.has_value());
  CHECK(second == 5);
}

TEST_CASE("queue: join waits until task_done was called for each item, and does not wait without any") {
  queue<int> q;
  bool joined = false;
  manual_scheduler m;
  m.run([&]() -> task<> { co_await q.join(); });
  CHECK(q.try_put(1));
  CHECK(q.try_put(2));
  m.start(join_and_note, std::ref(q), std::ref(joined));
  m.run_until_idle();
  CHECK(drain(q).size() == 2);
  q.task_done();
  m.run_until_idle();
  CHECK_FALSE(joined);
  CHECK(q.unfinished() == 1);
  q.task_done();
  m.run_until_idle();
  CHECK(joined);
}

TEST_CASE("queue: task_done more often than items were put throws, and says so") {
  queue<int> q;
  CHECK_THROWS_AS(q.task_done(), std::logic_error);
  CHECK(q.try_put(1));
  q.task_done();  // of an item that nobody has taken yet: as in Python
  CHECK_THROWS_WITH(q.task_done(), Catch::Contains("once for each item that get() gave"));
}

TEST_CASE("queue: a cancelled join leaves the others waiting") {
  queue<int> q;
  bool joined = false;
  bool other = false;
  manual_scheduler m;
  CHECK(q.try_put(1));
  plait::cancel_scope* scope = nullptr;
  auto const join_it = [&] { return join_and_note(q, joined); };
  m.start([&] { return cancellable(scope, join_it); });
  m.start(join_and_note, std::ref(q), std::ref(other));
  m.run_until_idle();
  m.on_thread([&] { scope->cancel(); });
  m.run_until_idle();
  q.task_done();
  m.run_until_idle();
  CHECK_FALSE(joined);
  CHECK(other);
}

TEST_CASE("queue: close ends the putting; what is there is still given, then getters get nothing") {
  queue<int> one(1);
  std::string log;
  std::optional<int> got = 7;
  manual_scheduler m;
  CHECK(one.try_put(1));
  m.start(note_closed, std::ref(one), 2, std::ref(log));
  m.run_until_idle();
  one.close();
  one.close();
  m.run_until_idle();
  CHECK(log == "c");
  CHECK(one.closed());
  CHECK_THROWS_AS(one.try_put(3), channel_closed);
  CHECK(one.size() == 1);
  CHECK(one.try_get() == 1);
  CHECK_FALSE(one.try_get().has_value());
  m.start(get_into, std::ref(one), std::ref(got));
  m.run_until_idle();
  CHECK_FALSE(got.has_value());
  CHECK(one.unfinished() == 1);
}

TEST_CASE("queue: close lets waiting getters go with nothing") {
  queue<int> q;
  std::optional<int> got = 7;
  manual_scheduler m;
  m.start(get_into, std::ref(q), std::ref(got));
  m.run_until_idle();
  q.close();
  m.run_until_idle();
  CHECK_FALSE(got.has_value());
}

TEST_CASE("queue: close_now throws away what is there, which counts as done") {
  queue<counted> q;
  manual_scheduler m;
  bool joined = false;
  CHECK(q.try_put(counted(1)));
  CHECK(q.try_put(counted(2)));
  CHECK(q.try_put(counted(3)));
  CHECK(q.try_get()->value() == 1);
  m.start([&]() -> task<> {
    co_await q.join();
    joined = true;
  });
  m.run_until_idle();
  CHECK(q.close_now() == 2);
  CHECK(q.close_now() == 0);
  CHECK(counted::alive == 0);
  m.run_until_idle();
  CHECK_FALSE(joined);  // one is still being worked on
  q.task_done();
  m.run_until_idle();
  CHECK(joined);
}

TEST_CASE("queue: close_now counts no item as done that was said to be done already") {
  queue<int> q;
  CHECK(q.try_put(1));
  CHECK(q.try_put(2));
  q.task_done();
  CHECK(q.close_now() == 2);
  CHECK(q.unfinished() == 0);
  q.blocking_join();
}

TEST_CASE("queue: for_each throws where the function says task_done as well") {
  queue<int> q;
  manual_scheduler m;
  CHECK(q.try_put(1));
  auto const say_done = [&q](int) { q.task_done(); };
  m.run([&]() -> task<> {
    bool refused = false;
    try {
      co_await q.for_each(say_done);
    } catch (std::logic_error const&) {
      refused = true;
    }
    CHECK(refused);
  });
}

TEST_CASE("queue: for_each says task_done, also where the function throws, which comes out") {
  queue<int> q;
  manual_scheduler m;
  for (int const n : {1, 2, 3}) CHECK(q.try_put(int(n)));
  int sum = 0;
  bool failed = false;
  m.run([&]() -> task<> {
    auto const add = [&](int n) -> task<> {
      co_await plait::yield();
      sum += n;
      if (n == 2) throw std::out_of_range("two");
    };
    try {
      co_await q.for_each(add);
    } catch (std::out_of_range const&) {
      failed = true;
    }
    CHECK(q.unfinished() == 1);
    q.close();
    co_await q.for_each(add);
    co_await q.join();
  });
  CHECK(failed);
  CHECK(sum == 6);
}

TEST_CASE("queue: a thread waits for a task, and a task for a thread") {
  queue<int> to_thread;
  queue<int> to_task(1);
  std::thread doubling([&] {
    for (auto n = to_thread.blocking_get(); n; n = to_thread.blocking_get()) to_task.blocking_put(2 * *n);
    to_task.close();
  });
  int sum = 0;
  plait::run([&]() -> task<> {
    for (int i = 1; i <= 100; ++i) co_await to_thread.put(i);
    to_thread.close();
    for (auto n = co_await to_task.get(); n; n = co_await to_task.get()) sum += *n;
  });
  doubling.join();
  CHECK(sum == 10'100);
}

TEST_CASE("queue: the waits of a thread end with their timeout, and take or put nothing then") {
  queue<int> one(1);
  CHECK_THROWS_AS(one.blocking_get(0ms), timed_out);
  CHECK_THROWS_AS(one.blocking_get(1ms), timed_out);
  one.blocking_put(1, 0ms);
  CHECK_THROWS_AS(one.blocking_put(2, 1ms), timed_out);
  CHECK_THROWS_AS(one.blocking_join(1ms), timed_out);
  CHECK(one.blocking_get(-1ms) == 1);
  one.task_done();
  one.blocking_join();
  one.close();
  CHECK_FALSE(one.blocking_get().has_value());
  CHECK_THROWS_AS(one.blocking_put(3), channel_closed);
}

TEST_CASE("queue: a thread that waits is let go by close, and by the last task_done") {
  queue<int> one(1);
  one.blocking_put(1);
  std::thread joining([&] { one.blocking_join(); });
  std::atomic<int> closed = 0;
  std::thread putting([&] {
    try {
      one.blocking_put(2);
    } catch (channel_closed const&) {
      ++closed;
    }
  });
  one.close();
  putting.join();
  one.task_done();
  joining.join();
  CHECK(closed == 1);
}

TEST_CASE("queue: a wait that would stop a scheduler's thread is refused") {
  queue<int> q;
  manual_scheduler m;
  m.run([&]() -> task<> {
    CHECK_THROWS_WITH(q.blocking_get(), Catch::Contains("co_await get() there"));
    CHECK_THROWS_AS(q.blocking_put(1), std::logic_error);
    CHECK_THROWS_AS(q.blocking_join(1ms), std::logic_error);
    co_return;
  });
}

TEST_CASE("queue: a wait for one shows in the task tree, and is no deadlock: a thread may end it") {
  queue<int> q(0, "orders");
  std::optional<int> got;
  manual_scheduler m;
  m.start(get_into, std::ref(q), std::ref(got));
  m.run_until_idle();
  auto const tree = m.on_thread([&] { return plait::snapshot(m.sched()); });
  REQUIRE(tree.tasks.size() == 1);
  REQUIRE(tree.tasks[0].waits_for.size() == 1);
  CHECK(tree.tasks[0].waits_for[0].find("get") != std::string::npos);
  CHECK(tree.tasks[0].waits_for[0].find("orders") != std::string::npos);
}

TEST_CASE("queue: destroying one that a task waits for stops the program") {
  auto const destroyed = plait::test::in_child([] {
    manual_scheduler m;
    auto q = std::make_unique<queue<int>>();
    m.start([&]() -> task<> { co_await q->get(); });
    m.run_until_idle();
    q.reset();
  });
  CHECK(destroyed.says("a queue was destroyed while a task or a thread waits for it"));
}

TEST_CASE("queue: among tasks of several schedulers and threads each item arrives once") {
  constexpr int items_each = 2'000;
  constexpr int putters = 4;
  queue<int> q(8);
  std::atomic<long> sum = 0;
  std::atomic<int> got = 0;
  auto const take = [&](int item) {
    sum += item;
    ++got;
    q.task_done();
  };
  auto const get_with_timeouts = [&]() -> task<> {
    for (int round = 0;; ++round) {
      std::optional<int> item;
      bool ended = false;
      auto const get = [&]() -> task<> {
        item = co_await q.get();
        ended = !item;
      };
      co_await plait::move_on_after(round % 3 == 0 ? 1us : 1ms, get);
      if (ended) co_return;
      if (item) take(*item);
    }
  };
  auto const put_all = [&](int from) -> task<> {
    for (int i = 0; i < items_each; ++i) co_await q.put(from + i);
  };

  std::vector<std::thread> getting;
  getting.emplace_back([&] {
    plait::run([&]() -> task<> {
      co_await plait::with_task_group([&](task_group& group) -> task<> {
        for (int i = 0; i < 3; ++i) group.spawn(get_with_timeouts);
        co_await group.join();
      });
    });
  });
  getting.emplace_back([&] { plait::run(get_with_timeouts); });
  getting.emplace_back([&] {
    for (auto item = q.blocking_get(); item; item = q.blocking_get()) take(*item);
  });
  std::vector<std::thread> putting;
  for (int p = 0; p < putters; ++p) {
    putting.emplace_back([&, p] {
      if (p % 2 == 0) {
        plait::run([&]() -> task<> { co_await put_all(p * items_each); });
      } else {
        for (int i = 0; i < items_each; ++i) q.blocking_put(p * items_each + i);
      }
    });
  }
  for (auto& t : putting) t.join();
  q.blocking_join();
  q.close();
  for (auto& t : getting) t.join();
  constexpr long all = putters * items_each;
  CHECK(got == all);
  CHECK(sum == all * (all - 1) / 2);
}
