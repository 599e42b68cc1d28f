// as_completed, and when_all and when_any of vectors.
#include <plait/as_completed.hpp>

#include "support/operations.hpp"

#include <plait/cancel.hpp>
#include <plait/sleep.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using plait::as_completed;
using plait::cancelled;
using plait::completed;
using plait::sleep_for;
using plait::task;
using plait::task_group;
using plait::when_all;
using plait::when_any;
using plait::test::gate;
using plait::testing::manual_scheduler;

namespace {

using box = std::unique_ptr<int>;

task<box> box_after_ms(int ms, std::string* ended = nullptr) {
  try {
    co_await sleep_for(std::chrono::milliseconds(ms));
  } catch (cancelled const&) {
    if (ended != nullptr) *ended += 'x';
    throw;
  }
  if (ended != nullptr) *ended += static_cast<char>('0' + ms);
  co_return std::make_unique<int>(ms);
}
task<box> fail_after_ms(int ms) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  throw std::out_of_range("no box");
}
task<> note_after_ms(int ms, std::string& ended) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  ended += static_cast<char>('0' + ms);
}

class wait_at final : public gate::wait_operation {
 public:
  using wait_operation::wait_operation;
};

// g++ 12 takes no braced list within an await expression.
template <class... Ms>
std::vector<task<box>> boxes_noted(std::string* ended, Ms... delays) {
  std::vector<task<box>> tasks;
  (tasks.push_back(box_after_ms(delays, ended)), ...);
  return tasks;
}
template <class... Ms>
std::vector<task<box>> boxes_after(Ms... delays) {
  return boxes_noted(nullptr, delays...);
}

}  // namespace

TEST_CASE("as_completed: results come in the order in which they are there, with their indices") {
  manual_scheduler m;
  std::string order;
  m.run([&]() -> task<> {
    auto const note = [&order](completed<box>& one) {
      order += static_cast<char>('a' + one.index);
      order += std::to_string(*one.value());
    };
    co_await as_completed(boxes_after(3, 1, 2), note);
  });
  CHECK(order == "b1c2a3");
}

TEST_CASE("as_completed: a task that fails is one result, and disturbs no other") {
  manual_scheduler m;
  std::string order;
  m.run([&]() -> task<> {
    auto tasks = boxes_after(3, 1);
    tasks.push_back(fail_after_ms(2));
    auto const note = [&order](completed<box>& one) {
      if (one.failed()) {
        CHECK_THROWS_AS(one.value(), std::out_of_range);
        order += '!';
      } else {
        order += std::to_string(*one.value());
      }
    };
    co_await as_completed(std::move(tasks), note);
  });
  CHECK(order == "1!3");
}

TEST_CASE("as_completed: false is enough, and the others have ended as cancelled when it returns") {
  manual_scheduler m;
  std::string ended;
  m.run([&]() -> task<> {
    auto const first_alone = [](completed<box>&) { return false; };
    co_await as_completed(boxes_noted(&ended, 5, 1, 7), first_alone);
    CHECK(ended == "1xx");
    co_await plait::yield();  // it has cancelled nobody else
  });
  CHECK(ended == "1xx");
}

TEST_CASE("as_completed: what is called may await, and what it throws cancels the rest and comes out") {
  manual_scheduler m;
  std::string ended;
  m.run([&]() -> task<> {
    int shown = 0;
    auto const show = [&shown](completed<box>&) -> task<bool> {
      co_await sleep_for(3ms);
      if (++shown == 2) throw std::runtime_error("the paper is out");
      co_return true;
    };
    CHECK_THROWS_AS(co_await as_completed(boxes_noted(&ended, 1, 2, 9), show), std::runtime_error);
    CHECK(shown == 2);
    CHECK(ended == "12x");
  });
}

TEST_CASE("as_completed: cancelling it cancels the tasks, and of none it returns at once") {
  manual_scheduler m;
  std::string ended;
  m.run([&]() -> task<> {
    auto const never = [](completed<box>&) { FAIL("nothing was completed"); };
    co_await as_completed(std::vector<task<box>>(), never);
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, as_completed(boxes_noted(&ended, 5, 6), never)),
                    plait::timed_out);
    CHECK(ended == "xx");
  });
}

TEST_CASE("as_completed: it takes tasks without a value, and operations") {
  gate first;
  gate second;
  manual_scheduler m;
  std::string ended;
  std::string order;
  m.run([&]() -> task<> {
    auto const note = [&order](completed<void>& one) {
      one.value();
      order += static_cast<char>('a' + one.index);
    };
    std::vector<task<>> tasks;
    tasks.push_back(note_after_ms(2, ended));
    tasks.push_back(note_after_ms(1, ended));
    co_await as_completed(std::move(tasks), note);
    std::vector<wait_at> waits;
    waits.emplace_back(first);
    waits.emplace_back(second);
    auto const open = [&]() -> task<> {
      co_await sleep_for(1ms);
      second.open(7);
      first.open(8);
    };
    int seen = 0;
    auto const note_value = [&seen](completed<int>& one) { seen = seen * 10 + one.value(); };
    auto const body = [&](task_group& g) -> task<> {
      g.spawn(open);
      co_await as_completed(std::move(waits), note_value);
      co_await g.join();
    };
    co_await plait::with_task_group(body);
    CHECK(seen == 78);
  });
  CHECK(ended == "12");
  CHECK(order == "ba");
}

TEST_CASE("when_all: of a vector it gives the values in the order of the tasks") {
  manual_scheduler m;
  std::string ended;
  m.run([&]() -> task<> {
    auto const values = co_await when_all(boxes_after(3, 1, 2));
    REQUIRE(values.size() == 3);
    CHECK(*values[0] == 3);
    CHECK(*values[1] == 1);
    std::vector<task<>> tasks;
    tasks.push_back(note_after_ms(2, ended));
    tasks.push_back(note_after_ms(1, ended));
    co_await when_all(std::move(tasks));
    auto const none = co_await when_all(std::vector<task<box>>());
    CHECK(none.empty());
  });
  CHECK(ended == "12");
}

TEST_CASE("when_all: of a vector, the first failure cancels the others and comes out") {
  manual_scheduler m;
  std::string ended;
  m.run([&]() -> task<> {
    auto tasks = boxes_noted(&ended, 1, 9);
    tasks.push_back(fail_after_ms(2));
    CHECK_THROWS_AS(co_await when_all(std::move(tasks)), std::out_of_range);
  });
  CHECK(ended == "1x");
}

TEST_CASE("when_any: of a vector it ends with the first, which it names, and cancels the others") {
  manual_scheduler m;
  std::string ended;
  m.run([&]() -> task<> {
    auto first = co_await when_any(boxes_noted(&ended, 5, 1, 7));
    CHECK(first.index == 1);
    CHECK(*first.value() == 1);
    CHECK_FALSE(first.values[0]);
    CHECK_THROWS_AS(co_await when_any(std::vector<task<box>>()), std::invalid_argument);
  });
  CHECK(ended == "1xx");
}

TEST_CASE("when_any: of a vector of operations, the losers lose nothing") {
  gate a;
  gate b;
  manual_scheduler m;
  m.run([&]() -> task<> {
    auto const open_b = [&b]() -> task<> {
      co_await plait::yield();
      b.open(4);
    };
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn(open_b);
      std::vector<wait_at> waits;
      waits.emplace_back(a);
      waits.emplace_back(b);
      auto first = co_await when_any(std::move(waits));
      CHECK(first.index == 1);
      CHECK(first.value() == 4);
      CHECK_FALSE(a.occupied());
      co_await g.join();
    });
  });
}
