#include <plait/testing/sequencer.hpp>

#include "support/death.hpp"

#include <plait/cancel.hpp>
#include <plait/sleep.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <string>

using namespace std::chrono_literals;
using plait::task;
using plait::testing::manual_scheduler;
using plait::testing::sequencer;
using plait::testing::sequencer_broken;

namespace {

task<> take_turns(sequencer& order, std::string& out, int first, int step, int last) {
  for (int n = first; n <= last; n += step) {
    co_await order.turn(n);
    out += std::to_string(n);
  }
}

}  // namespace

TEST_CASE("sequencer: turns come in the order of their numbers, whoever asks first") {
  manual_scheduler m;
  sequencer order;
  std::string out;
  m.start(take_turns, std::ref(order), std::ref(out), 2, 3, 9);
  m.start(take_turns, std::ref(order), std::ref(out), 1, 3, 9);
  m.start(take_turns, std::ref(order), std::ref(out), 0, 3, 9);
  m.run_until_idle();
  CHECK(out == "0123456789");
  CHECK(order.next() == 10);
}

TEST_CASE("sequencer: a turn that nobody takes holds up those behind it") {
  manual_scheduler m;
  sequencer order;
  std::string out;
  auto const handle = m.start(take_turns, std::ref(order), std::ref(out), 1, 1, 1);
  m.run_until_idle();
  CHECK(out.empty());
  CHECK_FALSE(handle.done());
  m.start(take_turns, std::ref(order), std::ref(out), 0, 1, 0);
  m.run_until_idle();
  CHECK(out == "01");
}

TEST_CASE("sequencer: a cancelled turn breaks the sequence for those who wait and those who come") {
  manual_scheduler m;
  sequencer order;
  std::string broken;
  auto const wait = [&](int n) -> task<> {
    try {
      co_await order.turn(n);
    } catch (sequencer_broken const& e) {
      broken += e.what();
    }
  };
  m.start(wait, 2);
  m.start([&]() -> task<> {
    co_await plait::move_on_after(1ms, [&]() -> task<> { co_await order.turn(1); });
  });
  m.run_until_quiet();
  CHECK(broken.find("turn 2 will not come") != std::string::npos);
  broken.clear();
  m.start(wait, 0);
  m.run_until_idle();
  CHECK(broken.find("turn 0 will not come") != std::string::npos);
}

TEST_CASE("sequencer: taking a turn twice is refused") {
  auto const end = plait::test::in_child([] {
    manual_scheduler m;
    sequencer order;
    std::string out;
    m.run([&]() -> task<> {
      co_await order.turn(0);
      co_await order.turn(0);
    });
  });
  CHECK(end.aborted());
  CHECK(end.says("a turn of a sequencer was taken twice"));
}
