#include <plait/timeout.hpp>

#include "support/operations.hpp"
#include "support/throw_count.hpp"

#include <plait/sleep.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>
#include <tl/expected.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include <poll.h>

using namespace std::chrono_literals;
using plait::move_on_after;
using plait::sleep_for;
using plait::task;
using plait::timed_out;
using plait::with_timeout;
using plait::test::gate;
using plait::test::ready_operation;
using plait::testing::manual_scheduler;

namespace {

task<int> value_after_ms(int ms, int value) {
  co_await sleep_for(std::chrono::milliseconds(ms));
  co_return value;
}

// Runs the body; says whether it threw timed_out, and checks that nothing is left behind.
template <class Fn>
bool times_out(manual_scheduler& m, Fn const& body) {
  bool thrown = false;
  m.run([&]() -> task<> {
    try {
      co_await body();
    } catch (timed_out const&) {
      thrown = true;
    }
  });
  CHECK(m.sched().cancelled_scopes == 0);
  CHECK(m.sched().timers().armed() == 0);
  return thrown;
}

// An operation that can give its failure as a value, as those of plait::io can.
class expecting_operation : public plait::operation {
 public:
  explicit expecting_operation(gate& g) noexcept : wait_(g.wait()) {}
  expecting_operation(expecting_operation&&) = default;
  bool start(plait::detail::task_state& task) { return wait_.start(task); }
  void finish() noexcept { complete_inline(wait_.state()); }
  int result() const noexcept { return wait_.result(); }
  tl::expected<int, std::error_code> expected() { return wait_.result(); }
  static tl::expected<int, std::error_code> failed(std::error_code code) {
    return tl::make_unexpected(code);
  }

 private:
  void cancel() noexcept override {}
  gate::wait_operation wait_;
};

// What io::as_result does: layers a result of its own over start and finish.
template <class Op>
class value_operation : public plait::operation {
 public:
  explicit value_operation(Op&& op) : op_(std::move(op)) {}
  bool start(plait::detail::task_state& task) { return op_.start(task); }
  void finish() noexcept {
    if constexpr (requires { op_.finish(); }) op_.finish();
    complete_inline(op_.state());
  }
  auto result() { return op_.expected(); }

 private:
  void cancel() noexcept override {}
  Op op_;
};

template <class Op>
value_operation<Op> as_value(Op&& op) {
  return value_operation<Op>(std::move(op));
}

}  // namespace

TEST_CASE("with_timeout: an operation that completes in time gives its value") {
  manual_scheduler m;
  gate g;
  int got = 0;
  auto const handle = m.start([&]() -> task<> { got = co_await with_timeout(5ms, g.wait()); });
  m.run_until_idle();
  m.on_thread([&] { g.open(3); });
  m.run_until_idle();
  CHECK(handle.done());
  CHECK(got == 3);
  CHECK(m.sched().timers().armed() == 0);
}

TEST_CASE("with_timeout: an operation that does not is taken back, and timed_out is thrown") {
  manual_scheduler m;
  auto const begin = m.io().now();
  CHECK(times_out(m, []() -> task<> { co_await with_timeout(5ms, sleep_for(1h)); }));
  CHECK(m.io().now() - begin == 5ms);
  CHECK_FALSE(times_out(m, []() -> task<> { co_await with_timeout(5ms, sleep_for(1ms)); }));
}

TEST_CASE("with_timeout: over a wait for a descriptor") {
  manual_scheduler m;
  CHECK(times_out(m, []() -> task<> {
    short const events = co_await with_timeout(1ms, plait::fd_wait(0, POLLIN));
    CHECK(events == 0);
  }));
  CHECK(m.io().waits().empty());
}

TEST_CASE("with_timeout: counts from the turn in which it begins, also where no timer was armed before") {
  manual_scheduler m;
  bool timed_out_early = false;
  auto const handle = m.start([&]() -> task<> {
    m.io().advance(10s);
    for (int i = 0; i <= plait::scheduler::turn_budget; ++i) co_await plait::yield();
    try {
      co_await with_timeout(5s, plait::fd_wait(0, POLLIN));
    } catch (timed_out const&) {
      timed_out_early = true;
    }
  });
  m.run_until_idle();
  CHECK_FALSE(timed_out_early);
  REQUIRE(m.io().waits().size() == 1);
  m.on_thread([&] { m.io().finish(*m.io().waits().front(), POLLIN); });
  m.run_until_idle();
  CHECK(handle.done());
}

TEST_CASE("with_timeout: over a task gives its value or throws its failure, in time") {
  manual_scheduler m;
  int got = 0;
  CHECK_FALSE(
      times_out(m, [&]() -> task<> { got = co_await with_timeout(5ms, value_after_ms(1, 7)); }));
  CHECK(got == 7);
  CHECK(times_out(m, [&]() -> task<> { got = co_await with_timeout(5ms, value_after_ms(6, 8)); }));
  CHECK(got == 7);
  auto const fails = []() -> task<> {
    throw std::runtime_error("own");
    co_return;
  };
  CHECK_THROWS_WITH(m.run([&]() -> task<> { co_await with_timeout(5ms, fails()); }), "own");
}

TEST_CASE("with_timeout: over a task that gives its value in spite of the timeout keeps it") {
  manual_scheduler m;
  auto const stubborn = []() -> task<int> {
    try {
      co_await plait::sleep_forever();
    } catch (plait::cancelled const&) {
    }
    co_return 6;
  };
  int got = 0;
  CHECK_FALSE(times_out(m, [&]() -> task<> { got = co_await with_timeout(1ms, stubborn()); }));
  CHECK(got == 6);
}

TEST_CASE("with_timeout: over a join leaves the child running") {
  manual_scheduler m;
  auto const handle = m.start(value_after_ms, 10, 5);
  CHECK(times_out(m, [&]() -> task<> {
    int const got = co_await with_timeout(1ms, handle);
    CHECK(got == 0);
  }));
}

TEST_CASE("with_timeout: a join in time gives the child's value") {
  manual_scheduler m;
  int got = 0;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
      auto const handle = g.spawn(value_after_ms, 1, 5);
      got = co_await with_timeout(1h, handle);
    });
  });
  CHECK(got == 5);
}

TEST_CASE("with_timeout: no time at all, or less, does not even begin") {
  manual_scheduler m;
  gate g;
  CHECK(times_out(m, [&]() -> task<> { static_cast<void>(co_await with_timeout(0ms, g.wait())); }));
  CHECK(
      times_out(m, [&]() -> task<> { static_cast<void>(co_await with_timeout(-1ms, g.wait())); }));
  CHECK(times_out(m, [&]() -> task<> { co_await with_timeout(0ms, value_after_ms(1, 1)); }));
  CHECK(g.cancels_asked() == 0);
}

TEST_CASE("with_timeout: one that is longer than time itself never comes") {
  manual_scheduler m;
  CHECK_FALSE(times_out(
      m, []() -> task<> { co_await with_timeout(plait::duration::max(), sleep_for(1000h)); }));
}

TEST_CASE("with_timeout: over an operation that is ready at once") {
  manual_scheduler m;
  int sum = 0;
  CHECK_FALSE(times_out(m, [&]() -> task<> {
    for (int i = 0; i < 1000; ++i) {
      int const got = co_await with_timeout(1ms, ready_operation(1));
      sum += got;
    }
  }));
  CHECK(sum == 1000);
}

TEST_CASE("with_timeout: nested, the one that expires throws, and it is told which") {
  manual_scheduler m;
  plait::duration after{};
  auto const wait = [&](plait::duration outer, plait::duration inner) -> task<> {
    try {
      co_await with_timeout(outer, with_timeout(inner, plait::sleep_forever()));
    } catch (timed_out const& e) {
      after = e.after();
    }
  };
  m.run([&] { return wait(5ms, 2ms); });
  CHECK(after == 2ms);
  m.run([&] { return wait(3ms, 7ms); });
  CHECK(after == 3ms);
  CHECK(m.sched().timers().armed() == 0);
  CHECK(m.sched().cancelled_scopes == 0);
}

TEST_CASE(
    "with_timeout: when data and deadline come in one turn, the data that came first is "
    "delivered") {
  manual_scheduler m;
  gate g;
  std::optional<int> got;
  auto const handle = m.start([&]() -> task<> { got = co_await with_timeout(5ms, g.wait()); });
  m.run_until_idle();
  m.on_thread([&] { g.open(4); });  // queued, not yet resumed, when the deadline passes
  m.advance(10ms);
  CHECK(handle.done());
  CHECK(got == 4);
}

TEST_CASE("with_timeout: data that the kernel delivers after it was asked to stop is delivered") {
  manual_scheduler m;
  gate g;
  g.obedient = false;
  std::optional<int> got;
  auto const handle = m.start([&]() -> task<> { got = co_await with_timeout(5ms, g.wait()); });
  m.run_until_idle();
  m.advance(5ms);
  CHECK(g.cancels_asked() == 1);
  CHECK_FALSE(handle.done());
  m.on_thread([&] { g.open(9); });
  m.run_until_idle();
  CHECK(got == 9);
}

TEST_CASE("with_timeout: a cancellation from outside is no timeout") {
  manual_scheduler m;
  bool thrown = false;
  m.run([&]() -> task<> {
    bool const finished = co_await move_on_after(1ms, [&]() -> task<> {
      try {
        co_await with_timeout(5ms, plait::sleep_forever());
      } catch (timed_out const&) {
        thrown = true;
      }
    });
    CHECK_FALSE(finished);
    bool const finished_too = co_await move_on_after(1ms, [&]() -> task<> {
      try {
        static_cast<void>(co_await with_timeout(5ms, value_after_ms(100, 1)));
      } catch (timed_out const&) {
        thrown = true;
      }
    });
    CHECK_FALSE(finished_too);
  });
  CHECK_FALSE(thrown);
  CHECK(m.sched().cancelled_scopes == 0);
}

TEST_CASE("with_timeout: in a cancelled scope it throws cancelled before it begins") {
  manual_scheduler m;
  gate g;
  m.run([&]() -> task<> {
    bool const finished = co_await plait::with_cancel_scope([&](plait::cancel_scope& s) -> task<> {
      s.cancel();
      static_cast<void>(co_await with_timeout(5ms, g.wait()));
    });
    CHECK_FALSE(finished);
  });
  CHECK(g.cancels_asked() == 0);
  CHECK(m.sched().timers().armed() == 0);
}

TEST_CASE("with_timeout: over an operation only timed_out is thrown, once") {
  manual_scheduler m;
  long thrown = 0;
  m.run([&]() -> task<> {
    long const before = plait::test::throws_on_this_thread();
    try {
      co_await with_timeout(1ms, plait::sleep_forever());
    } catch (timed_out const&) {
      thrown = plait::test::throws_on_this_thread() - before;
    }
  });
  CHECK(thrown == 1);
}

TEST_CASE("with_timeout: where errors are values the timeout is one, and nothing is thrown") {
  manual_scheduler m;
  gate g;
  tl::expected<int, std::error_code> answer = 0;
  long thrown = -1;
  auto const wait = [&]() -> task<> {
    long const before = plait::test::throws_on_this_thread();
    answer = co_await as_value(with_timeout(5ms, expecting_operation(g)));
    thrown = plait::test::throws_on_this_thread() - before;
  };
  auto const handle = m.start(wait);
  m.run_until_idle();
  m.advance(5ms);
  CHECK(handle.done());
  CHECK(answer.error() == std::errc::timed_out);
  CHECK(thrown == 0);

  auto const in_time = m.start(wait);
  m.run_until_idle();
  m.on_thread([&] { g.open(2); });
  m.run_until_idle();
  CHECK(in_time.done());
  CHECK(answer == 2);
  CHECK(thrown == 0);
}

TEST_CASE("timed_out: says after how long, in milliseconds and no longer than needed") {
  CHECK(std::string(timed_out(2s).what()) == "timed out after 2000 ms");
  CHECK(std::string(timed_out(1500us).what()) == "timed out after 1.5 ms");
}
