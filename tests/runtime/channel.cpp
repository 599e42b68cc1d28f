#include <plait/channel/channel.hpp>
#include <plait/channel/closed.hpp>

#include "support/death.hpp"
#include "support/throwing_move.hpp"

#include <plait/select.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::channel;
using plait::channel_closed;
using plait::select;
using plait::sleep_for;
using plait::task;
using plait::task_group;
using plait::test::throwing_move;
using plait::testing::manual_scheduler;

namespace {

task<> send_all(channel<int>& to, int first, int last) {
  for (int i = first; i <= last; ++i) co_await to.send(i);
}
task<> receive_into(channel<int>& from, std::vector<int>& got) {
  for (auto item = co_await from.receive(); item; item = co_await from.receive())
    got.push_back(*item);
}
task<> note_when_sent(channel<int>& to, int item, std::string& order, char name) {
  co_await to.send(item);
  order += name;
}
task<> note_received(channel<int>& from, std::string& order, char name) {
  auto const item = co_await from.receive();
  order += name;
  order += item ? std::to_string(*item) : "-";
}

}  // namespace

TEST_CASE("channel: what is sent is received in its order, through buffers of any size") {
  for (std::size_t const capacity : {0, 1, 3, 100}) {
    CAPTURE(capacity);
    manual_scheduler m;
    auto numbers = channel<int>::bounded(capacity);
    std::vector<int> got;
    auto const body = [&](task_group& g) -> task<> {
      g.spawn(receive_into, std::ref(numbers), std::ref(got));
      co_await send_all(numbers, 1, 50);
      numbers.close();
      co_await g.join();
    };
    m.run([&]() -> task<> { co_await plait::with_task_group(body); });
    REQUIRE(got.size() == 50);
    for (int i = 0; i < 50; ++i) CHECK(got[static_cast<std::size_t>(i)] == i + 1);
  }
}

TEST_CASE("channel: sending waits where the buffer is full, and takes the place that comes free") {
  manual_scheduler m;
  auto numbers = channel<int>::bounded(2);
  std::string order;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 4; ++i) {
        g.spawn(note_when_sent, std::ref(numbers), i, std::ref(order), static_cast<char>('a' + i));
      }
      co_await sleep_for(1ms);
      CHECK(order == "ab");
      CHECK(numbers.size() == 2);
      auto const first = co_await numbers.receive();
      CHECK(first == 0);
      CHECK(numbers.size() == 2);        // handed over at once
      CHECK_FALSE(numbers.try_send(9));  // nobody comes in between
      co_await sleep_for(1ms);
      CHECK(order == "abc");
      for (int i = 1; i < 4; ++i) {
        auto const next = co_await numbers.receive();
        CHECK(next == i);
      }
    });
  });
  CHECK(order == "abcd");
}

TEST_CASE("channel: from hand to hand a send is over when its item was taken") {
  manual_scheduler m;
  auto numbers = channel<int>::rendezvous();
  std::string order;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn(note_when_sent, std::ref(numbers), 7, std::ref(order), 's');
      co_await sleep_for(1ms);
      CHECK(order.empty());
      CHECK(numbers.size() == 0);
      co_await note_received(numbers, order, 'r');
      co_await g.join();
    });
  });
  CHECK(order == "r7s");
}

TEST_CASE("channel: those that wait for items get them in the order in which they came") {
  manual_scheduler m;
  auto numbers = channel<int>::unbounded();
  std::string order;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (char const name : {'a', 'b', 'c'}) {
        g.spawn(note_received, std::ref(numbers), std::ref(order), name);
      }
      co_await plait::yield();
      for (int i = 1; i <= 3; ++i) {
        CHECK(numbers.try_send(i));
        CHECK_FALSE(numbers.try_receive());  // it was handed over
      }
      co_await g.join();
    });
  });
  CHECK(order == "a1b2c3");
}

TEST_CASE("channel: close lets what was accepted be received, and refuses what was not") {
  manual_scheduler m;
  auto numbers = channel<int>::bounded(2);
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const refused = [&]() -> task<> {
        co_await send_all(numbers, 1, 2);
        CHECK_THROWS_AS(co_await numbers.send(3), channel_closed);
      };
      g.spawn(refused);
      co_await plait::yield();
      numbers.close();
      numbers.close();
      CHECK(numbers.closed());
      CHECK_THROWS_AS(co_await numbers.send(4), channel_closed);
      CHECK_THROWS_AS(numbers.try_send(4), channel_closed);
      std::vector<int> got;
      co_await receive_into(numbers, got);
      CHECK(got == std::vector{1, 2});
    });
  });
}

TEST_CASE("channel: close ends the waits of those that have nothing to receive") {
  manual_scheduler m;
  auto numbers = channel<int>::rendezvous();
  std::string order;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn(note_received, std::ref(numbers), std::ref(order), 'a');
      g.spawn(note_received, std::ref(numbers), std::ref(order), 'b');
      co_await plait::yield();
      numbers.close();
    });
  });
  CHECK(order == "a-b-");
}

TEST_CASE("channel: items can be such as only move, and for_each takes them out to the end") {
  manual_scheduler m;
  auto boxes = channel<std::unique_ptr<int>>::bounded(1);
  int sum = 0;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const send = [&]() -> task<> {
        for (int i = 1; i <= 3; ++i) co_await boxes.send(std::make_unique<int>(i));
        CHECK_THROWS_AS(co_await boxes.send(std::make_unique<int>(4)), channel_closed);
      };
      g.spawn(send);
      auto const add = [&](std::unique_ptr<int> box) { sum += *box; };
      auto const add_slowly = [&](std::unique_ptr<int> box) -> task<> {
        co_await sleep_for(1ms);
        sum += *box;
        if (sum == 3) boxes.close();
      };
      co_await boxes.for_each(add_slowly);
      CHECK(sum == 6);  // the third was in the buffer, the fourth was refused
      co_await boxes.for_each(add);
      co_await g.join();
    });
  });
  CHECK(sum == 6);
}

TEST_CASE("channel: a try that finds no room leaves the item where it is") {
  manual_scheduler m;
  auto boxes = channel<std::unique_ptr<int>>::bounded(1);
  auto box = std::make_unique<int>(1);
  m.on_thread([&] {
    CHECK(boxes.try_send(std::make_unique<int>(0)));
    CHECK_FALSE(boxes.try_send(std::move(box)));
  });
  CHECK(box != nullptr);
}

TEST_CASE("channel: of a select's cases the losers have sent and taken nothing") {
  manual_scheduler m;
  auto in = channel<int>::bounded(4);
  auto out = channel<std::unique_ptr<int>>::rendezvous();
  auto box = std::make_unique<int>(5);
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn(send_all, std::ref(in), 1, 2);
      auto const got = co_await select(in.receive(), out.send_from(box));
      REQUIRE(got.index() == 0);
      CHECK(std::get<0>(got) == 1);
      CHECK(box != nullptr);
      CHECK(in.size() == 1);
      CHECK_FALSE(out.try_receive());
      auto const late = co_await select(out.receive(), sleep_for(1ms));
      CHECK(late.index() == 1);
    });
  });
}

TEST_CASE("channel: a select does not hand its own item to itself") {
  manual_scheduler m;
  for (std::size_t const capacity : {0, 1}) {
    CAPTURE(capacity);
    auto numbers = channel<int>::bounded(capacity);
    m.run([&]() -> task<> {
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        if (capacity == 1) co_await numbers.send(8);
        for (int round = 0; round < 20; ++round) {  // whichever case is looked at first
          auto const got = co_await select(numbers.send(7), numbers.receive(), sleep_for(1ms));
          CHECK(got.index() == (capacity == 0 ? 2 : 1));
          if (capacity == 1) {
            CHECK(std::get<1>(got) == 8);
            CHECK(numbers.size() == 0);
            co_await numbers.send(8);
          }
        }
        auto const taken = g.spawn([&]() -> task<int> {
          auto const got = co_await select(numbers.receive(), numbers.receive());
          co_return *std::visit([](auto const& item) { return item; }, got);
        });
        co_await plait::yield();
        if (capacity == 0) co_await numbers.send(8);
        int const item = co_await taken;
        CHECK(item == 8);
      });
    });
  }
}

TEST_CASE("channel: what was handed to a receiver that is cancelled meanwhile is delivered") {
  manual_scheduler m;
  auto numbers = channel<int>::rendezvous();
  m.run([&]() -> task<> {
    plait::cancel_scope* scope = nullptr;
    std::optional<int> got;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        auto const body = [&](plait::cancel_scope& s) -> task<> {
          scope = &s;
          got = co_await numbers.receive();
        };
        co_await plait::with_cancel_scope(body);
      });
      co_await plait::yield();
      CHECK(numbers.try_send(3));
      scope->cancel();
      co_await g.join();
    });
    CHECK(got == 3);
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, numbers.receive()), plait::timed_out);
    CHECK_THROWS_AS(co_await plait::with_timeout(1ms, numbers.send(4)), plait::timed_out);
    CHECK_FALSE(numbers.try_receive());
  });
}

TEST_CASE(
    "channel: where the move of an item throws, it stays where it was and the channel goes on") {
  manual_scheduler m;
  auto items = channel<throwing_move>::bounded(1);
  m.run([&]() -> task<> {
    throwing_move first(1);
    throwing_move second(2);
    throwing_move::after = 0;
    CHECK_THROWS_AS(co_await items.send_from(first), throwing_move::error);
    co_await items.send_from(first);
    throwing_move::after = 0;
    CHECK_THROWS_AS(co_await items.receive(), throwing_move::error);
    CHECK(items.size() == 1);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const refused = [&]() -> task<> {
        CHECK_THROWS_AS(co_await items.send_from(second), throwing_move::error);
      };
      g.spawn(refused);
      co_await plait::yield();
      throwing_move::after = 1;  // out of the buffer it goes, and the sender's not into it
      auto const got = items.try_receive();
      CHECK(got->value == 1);
      CHECK(items.size() == 0);
    });
    co_await items.send_from(second);
    auto const got = co_await items.receive();
    CHECK(got->value == 2);
  });
  CHECK(throwing_move::after < 0);
}

TEST_CASE("channel: a task whose channel is always ready still lets others run") {
  manual_scheduler m;
  auto numbers = channel<int>::unbounded();
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      bool ran = false;
      g.spawn([&]() -> task<> {
        ran = true;
        co_return;
      });
      int rounds = 0;
      for (; !ran && rounds < 1000; ++rounds) {
        co_await numbers.send(rounds);
        auto const got = co_await numbers.receive();
        CHECK(got == rounds);
      }
      CHECK(rounds < 100);
    });
  });
}

TEST_CASE("channel: destroying one that a task waits for stops the program") {
  auto const destroyed = plait::test::in_child([] {
    manual_scheduler m;
    std::unique_ptr<channel<int>> numbers(new auto(channel<int>::rendezvous()));
    m.start([&]() -> task<> { co_await numbers->receive(); });
    m.run_until_idle();
    numbers.reset();
  });
  CHECK(destroyed.says("a channel was destroyed while a task waits for it"));
}
