// mt::channel: what it does beyond the queue that it stands on (queue.cpp).
#include <plait/mt/channel.hpp>

#include <plait/channel/closed.hpp>
#include <plait/on.hpp>
#include <plait/run.hpp>
#include <plait/runtime.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/timeout.hpp>
#include <plait/when.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

using namespace std::chrono_literals;
using plait::task;
using plait::mt::channel;
using plait::testing::manual_scheduler;

namespace {

task<> send_numbers(channel<int>& to, int from, int how_many) {
  for (int i = from; i < from + how_many; ++i) co_await to.send(i);
}
task<> add_up(channel<int>& from, std::atomic<long>& sum) {
  for (auto n = co_await from.receive(); n; n = co_await from.receive()) sum += *n;
}

}  // namespace

TEST_CASE("mt::channel: items cross between the schedulers of a runtime, each once") {
  constexpr int each = 3'000;
  channel<int> numbers(4, "numbers");
  std::atomic<long> sum = 0;
  plait::runtime threads({.threads = 3});
  threads.run([&]() -> task<> {
    auto const take = [&]() -> task<> {
      co_await plait::when_all(plait::on(threads.at(1), add_up, std::ref(numbers), std::ref(sum)),
                               plait::on(threads.at(2), add_up, std::ref(numbers), std::ref(sum)));
    };
    auto const send_all = [&]() -> task<> {
      co_await plait::when_all(plait::on(threads.at(1), send_numbers, std::ref(numbers), 0, each),
                               send_numbers(numbers, each, each));
      numbers.close();
    };
    co_await plait::when_all(take(), send_all());
  });
  CHECK(sum == 2L * each * (2L * each - 1) / 2);
  CHECK(numbers.size() == 0);
  CHECK(numbers.closed());
}

TEST_CASE("mt::channel: a plain thread sends and receives as well") {
  channel<std::unique_ptr<int>> to_thread(1);
  channel<std::unique_ptr<int>> back;
  std::thread thread([&] {
    for (auto n = to_thread.blocking_receive(); n; n = to_thread.blocking_receive()) {
      back.blocking_send(std::make_unique<int>(**n + 1));
    }
    back.close();
  });
  int sum = 0;
  plait::run([&]() -> task<> {
    for (int i = 0; i < 10; ++i) co_await to_thread.send(std::make_unique<int>(i));
    to_thread.close();
    auto const add = [&sum](std::unique_ptr<int> n) { sum += *n; };
    co_await back.for_each(add);
  });
  thread.join();
  CHECK(sum == 55);
}

TEST_CASE("mt::channel: it has room for its capacity, says no when full, and throws when closed") {
  channel<int> two(2, "two");
  CHECK(two.capacity() == 2);
  CHECK(two.try_send(1));
  CHECK(two.try_send(2));
  CHECK_FALSE(two.try_send(3));
  CHECK_THROWS_AS(two.blocking_send(3, 0ms), plait::timed_out);
  CHECK(two.try_receive() == 1);
  two.close();
  CHECK_THROWS_AS(two.try_send(3), plait::channel_closed);
  CHECK(two.try_receive() == 2);
  CHECK_FALSE(two.try_receive().has_value());
  CHECK_FALSE(two.blocking_receive().has_value());
}

TEST_CASE("mt::channel: a receive that a timeout ends has taken nothing") {
  channel<int> numbers;
  manual_scheduler m;
  m.run([&]() -> task<> {
    bool late = false;
    try {
      co_await plait::with_timeout(1ms, numbers.receive());
    } catch (plait::timed_out const&) {
      late = true;
    }
    CHECK(late);
    co_await numbers.send(1);
  });
  CHECK(numbers.try_receive() == 1);
}
