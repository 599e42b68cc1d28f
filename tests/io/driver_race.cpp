// Cancellation against completion in the real kernel, with both outcomes measured.
#include <plait/driver.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/tcp.hpp>
#include <plait/task_group.hpp>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>

using plait::task;
using plait::task_group;
using plait::test::connected;
using plait::test::connection;
using plait::test::turns;

namespace {

// Sends byte after byte, each when the test asks for it, from a thread of its own.
class byte_sender {
 public:
  explicit byte_sender(plait::test::peer& to) : thread_([this, &to] { serve(to); }) {}
  ~byte_sender() {
    wanted_.store(-1, std::memory_order_release);
    thread_.join();
  }
  void ask(int number) { wanted_.store(number, std::memory_order_release); }
  bool has_sent(int number) const { return sent_.load(std::memory_order_acquire) >= number; }

 private:
  void serve(plait::test::peer& to) {
    for (;;) {
      int const wanted = wanted_.load(std::memory_order_acquire);
      if (wanted < 0) return;
      if (has_sent(wanted)) {
        std::this_thread::yield();
        continue;
      }
      to.send(std::string(1, static_cast<char>(wanted)));
      sent_.store(wanted, std::memory_order_release);
    }
  }

  std::atomic<int> wanted_{0};
  std::atomic<int> sent_{0};
  std::thread thread_;
};

struct race_count {
  int data = 0;
  int cancelled = 0;
  bool bytes_in_order = true;
};

// One round: a read waits, a byte is asked for, and the read is cancelled: before it can have come,
// after it has come, or, every other round, after a pause that leaves it open.
task<bool> race(connection& c, byte_sender& sender, int number, int pause, bool& in_order) {
  char into = 0;
  plait::io::mutable_buffer const one(&into, 1);
  bool got = false;
  co_await plait::with_task_group([&](task_group& g) -> task<> {
    g.spawn([&]() -> task<> { got = co_await c.stream.read_some(one) == 1; });
    co_await turns(1);
    if (number % 4 == 0) g.cancel();
    sender.ask(number);
    while (number % 4 == 2 && !sender.has_sent(number)) std::this_thread::yield();
    for (std::atomic<int> i{0}; number % 2 == 1 && i < pause; ++i) {
    }
    if (number % 4 != 0) co_await turns(1);
    g.cancel();
  });
  bool const in_time = got;
  if (!got) co_await c.stream.read_exactly(one);
  in_order = in_order && into == static_cast<char>(number);
  co_return in_time;
}

// The pause is steered towards where the outcome is open.
task<race_count> many_races(int rounds) {
  connection c = connected();
  byte_sender sender(c.other);
  race_count count;
  int pause = 100;
  for (int round = 1; round <= rounds; ++round) {
    bool const in_time = co_await race(c, sender, round, pause, count.bytes_in_order);
    ++(in_time ? count.data : count.cancelled);
    if (round % 2 == 0) continue;
    int const step = std::max(1, pause / 16);
    pause = std::clamp(in_time ? pause - step : pause + step, 0, 3'000);
  }
  co_return count;
}

}  // namespace

IO_TEST("driver: 10,000 races of data against a cancellation lose no byte, and go either way") {
  constexpr int rounds = 10'000;
  race_count const count = io.run([] { return many_races(rounds); });
  INFO("data " << count.data << ", cancelled " << count.cancelled);
  CHECK(count.data + count.cancelled == rounds);
  CHECK(count.bytes_in_order);
  CHECK(count.data >= rounds / 20);
  CHECK(count.cancelled >= rounds / 20);
}

IO_TEST("driver: data that came before the cancellation reached the kernel is delivered or left") {
  io.run([&]() -> task<> {
    connection c = connected();
    int delivered = 0;
    for (int round = 0; round < 300; ++round) {
      char into = 0;
      plait::io::mutable_buffer const one(&into, 1);
      bool got = false;
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        g.spawn([&]() -> task<> { got = co_await c.stream.read_some(one) == 1; });
        co_await turns(round % 3);
        c.other.send(std::string(1, static_cast<char>(round)));
        if (round % 2 == 0) co_await plait::yield();
        g.cancel();
      });
      if (got) ++delivered;
      if (!got) co_await c.stream.read_exactly(one);
      CHECK(into == static_cast<char>(round));
    }
    INFO("delivered " << delivered);
    char none[1];
    CHECK_FALSE((co_await plait::move_on_after(std::chrono::milliseconds(1), [&]() -> task<int> {
                  co_return static_cast<int>(co_await c.stream.read_some(none));
                })).has_value());
  });
}

IO_TEST("driver: a write that is cancelled half-way leaves whole what was taken") {
  io.run([&]() -> task<> {
    connection c = connected(4096, 4096);
    std::string const large = plait::test::patterned(1 << 20);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await c.stream.write_all(large); });
      co_await turns(3);
      std::string const begin = c.other.receive(5000);
      CHECK((begin == large.substr(0, 5000)));
      co_await turns(3);
      g.cancel();
    });
    co_await c.stream.close();
    std::string const rest = c.other.receive_all();
    CHECK((rest == large.substr(5000, rest.size())));
    CHECK(rest.size() + 5000 < large.size());
  });
}
