// Cancellation against completion, from other threads, from destructors, and in deep trees.
#include <plait/cancel.hpp>

#include "support/death.hpp"
#include "support/operations.hpp"

#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>

using namespace std::chrono_literals;
using plait::cancel_scope;
using plait::cancelled;
using plait::move_on_after;
using plait::task;
using plait::task_group;
using plait::with_cancel_scope;
using plait::test::gate;
using plait::test::in_child;
using plait::testing::manual_scheduler;

namespace {

// Enough to overflow the stack where anything recursed.
constexpr int deep = PLAIT_ASAN ? 20'000 : 100'000;

// A task that waits at a gate in a scope of its own, and what became of it.
struct waiting_body {
  manual_scheduler m;
  gate g;
  cancel_scope* scope = nullptr;
  std::string outcome;

  task<> body() {
    std::optional<int> const got = co_await with_cancel_scope([this](cancel_scope& s) -> task<int> {
      scope = &s;
      int const value = co_await g.wait();
      scope = nullptr;
      co_return value;
    });
    outcome = got ? "value " + std::to_string(*got) : "cut short";
  }

  // Runs until the body waits; then `events` happen between two turns.
  template <class Fn>
  void run(Fn events) {
    auto const handle = m.start([this] { return body(); });
    m.run_until_idle();
    REQUIRE(g.occupied());
    m.on_thread(events);
    m.run_until_idle();
    CHECK(m.sched().cancelled_scopes == 0);
  }
};

task<> nested_scopes(int levels, cancel_scope*& outermost) {
  auto const deeper = [&](cancel_scope& s) -> task<> {
    if (outermost == nullptr) outermost = &s;
    if (levels == 0) {
      co_await plait::sleep_forever();
    } else {
      co_await nested_scopes(levels - 1, outermost);
    }
  };
  co_await with_cancel_scope(std::ref(deeper));
}

task<> nested_groups(int levels) {
  auto const deeper = [levels](task_group& g) -> task<> {
    if (levels == 0) {
      co_await plait::sleep_forever();
    } else {
      g.spawn(nested_groups, levels - 1);
      co_await g.join();
    }
  };
  co_await plait::with_task_group(std::ref(deeper));
}

struct cancels_at_its_end {
  explicit cancels_at_its_end(cancel_scope& s) noexcept : scope(s) {}
  ~cancels_at_its_end() { scope.cancel("from a destructor"); }
  cancel_scope& scope;
};

}  // namespace

TEST_CASE("cancel: completion wins, so what arrived in the same turn is delivered") {
  waiting_body w;
  w.run([&] {
    w.g.open(5);
    w.scope->cancel();
  });
  CHECK(w.outcome == "value 5");
  CHECK(w.g.cancels_asked() == 0);
}

TEST_CASE("cancel: what was cancelled first is over, and nothing is resumed inline") {
  waiting_body w;
  w.run([&] {
    w.scope->cancel();
    CHECK_FALSE(w.g.occupied());
    CHECK(w.outcome.empty());
    w.scope->cancel();
  });
  CHECK(w.outcome == "cut short");
  CHECK(w.g.cancels_asked() == 1);
}

TEST_CASE("cancel: an operation that the kernel still holds ends when the kernel says so") {
  waiting_body w;
  w.g.obedient = false;
  SECTION("with its result") {
    w.run([&] {
      w.scope->cancel();
      w.m.sched().run_until_idle();
      CHECK(w.outcome.empty());
      w.g.open(6);
    });
    CHECK(w.outcome == "value 6");
  }
  SECTION("as cancelled") {
    w.run([&] {
      w.scope->cancel();
      w.m.sched().run_until_idle();
      CHECK(w.outcome.empty());
      w.g.refuse();
    });
    CHECK(w.outcome == "cut short");
  }
}

TEST_CASE("cancel: a wait for a descriptor is taken back from the driver") {
  manual_scheduler m;
  bool finished = true;
  auto const handle = m.start([&]() -> task<> {
    finished = co_await move_on_after(
        1ms, []() -> task<> { static_cast<void>(co_await plait::fd_wait(0, POLLIN)); });
  });
  m.run_until_idle();
  CHECK(m.io().waits().size() == 1);
  m.advance(1ms);
  CHECK(handle.done());
  CHECK_FALSE(finished);
  CHECK(m.io().waits().empty());
}

TEST_CASE("cancel: a deadline and the data due in one turn, whichever is earlier wins") {
  manual_scheduler m;
  // Both timers are due when the clock is looked at.
  auto const sleeper = [](plait::duration d) -> task<> { co_await plait::sleep_for(d); };
  std::optional<bool> early;
  std::optional<bool> late;
  m.start([&]() -> task<> { early = co_await move_on_after(5ms, sleeper, plait::duration(4ms)); });
  m.start([&]() -> task<> { late = co_await move_on_after(5ms, sleeper, plait::duration(6ms)); });
  m.run_until_idle();
  m.advance(10ms);
  CHECK(early == true);
  CHECK(late == false);
}

TEST_CASE("cancel: a destructor may cancel, in a normal end and while unwinding") {
  manual_scheduler m;
  std::string what;
  bool cut_short = false;
  m.run([&]() -> task<> {
    cut_short = !co_await with_cancel_scope([](cancel_scope& s) -> task<> {
      {
        cancels_at_its_end const c(s);
      }
      co_await plait::yield();
    });
    try {
      co_await with_cancel_scope([](cancel_scope& s) -> task<> {
        cancels_at_its_end const c(s);
        throw std::runtime_error("first");
        co_return;
      });
    } catch (std::runtime_error const& e) {
      what = e.what();
    }
    // While `cancelled` itself unwinds.
    bool const finished = co_await with_cancel_scope([](cancel_scope& outer) -> task<> {
      co_await with_cancel_scope([&](cancel_scope& inner) -> task<> {
        cancels_at_its_end const c(outer);
        inner.cancel();
        co_await plait::yield();
      });
      co_await plait::yield();
    });
    CHECK_FALSE(finished);
  });
  CHECK(cut_short);
  CHECK(what == "first");
  CHECK(m.sched().cancelled_scopes == 0);
}

TEST_CASE("cancel: a scope may be cancelled from a sibling task") {
  manual_scheduler m;
  cancel_scope* scope = nullptr;
  bool finished = true;
  m.run([&]() -> task<> {
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        finished = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
          scope = &s;
          co_await plait::sleep_forever();
        });
      });
      g.spawn([&]() -> task<> {
        scope->cancel("by a sibling");
        co_return;
      });
      co_await g.join();
    });
  });
  CHECK_FALSE(finished);
}

TEST_CASE("cancel: very many scopes in one task are cancelled without recursion") {
  manual_scheduler m;
  cancel_scope* outermost = nullptr;
  auto const handle = m.start(nested_scopes, deep, std::ref(outermost));
  m.run_until_idle();
  REQUIRE(outermost != nullptr);
  m.on_thread([&] { outermost->cancel(); });
  m.run_until_idle();
  CHECK(handle.done());
  CHECK(m.sched().cancelled_scopes == 0);
}

TEST_CASE("cancel: very many groups in one another are cancelled without recursion") {
  manual_scheduler m;
  bool finished = true;
  m.run([&]() -> task<> { finished = co_await move_on_after(1ms, nested_groups, deep); });
  CHECK_FALSE(finished);
  CHECK(m.sched().cancelled_scopes == 0);
}

TEST_CASE(
    "cancel: request_cancel from another thread wakes the scheduler and cuts the scope short") {
  manual_scheduler m;
  std::atomic<cancel_scope*> scope{nullptr};
  std::thread other([&] {
    scope.wait(nullptr);
    scope.load()->request_cancel("from a thread");
  });
  std::string reason;
  m.run([&]() -> task<> {
    co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
      scope = &s;
      scope.notify_one();
      try {
        co_await plait::sleep_forever();
      } catch (cancelled const& c) {
        reason = c.reason();
        throw;
      }
    });
  });
  other.join();
  CHECK(reason == "from a thread");
}

TEST_CASE("cancel: request_cancel from several threads at once, while the scope comes to its end") {
  constexpr int rounds = 1'000;
  constexpr int threads = 3;
  manual_scheduler m;
  std::atomic<int> round{-1};
  std::atomic<int> finished_asking{0};
  std::atomic<cancel_scope*> scope{nullptr};
  std::vector<std::thread> askers;
  for (int t = 0; t < threads; ++t) {
    askers.emplace_back([&, t] {
      for (int i = 0; i < rounds; ++i) {
        while (round.load(std::memory_order_acquire) < i) std::this_thread::yield();
        char const* const reason = t == 0 ? "first" : "another";
        scope.load(std::memory_order_relaxed)->request_cancel(reason);
        scope.load(std::memory_order_relaxed)->request_cancel(reason);
        finished_asking.fetch_add(1, std::memory_order_release);
      }
    });
  }
  int cut_short = 0;
  int reasons = 0;
  m.run([&]() -> task<> {
    for (int i = 0; i < rounds; ++i) {
      bool const finished = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
        scope.store(&s, std::memory_order_relaxed);
        round.store(i, std::memory_order_release);
        std::exception_ptr cut;
        try {
          co_await plait::sleep_forever();
        } catch (cancelled const& c) {
          std::string const r = c.reason();
          if (r == "first" || r == "another") ++reasons;
          cut = std::current_exception();
        }
        // The scope must live until every thread has asked; requests may still be in the inbox.
        while (finished_asking.load(std::memory_order_acquire) < (i + 1) * threads) {
          std::this_thread::yield();
        }
        if (cut) std::rethrow_exception(cut);
      });
      if (!finished) ++cut_short;
    }
  });
  for (std::thread& t : askers) t.join();
  CHECK(cut_short == rounds);
  CHECK(reasons == rounds);
  CHECK(m.sched().cancelled_scopes == 0);
}

TEST_CASE("cancel: the thread that cancels a program may still be asking when the program ends") {
  constexpr int rounds = 1'000;
  int cut_short = 0;
  for (int i = 0; i < rounds; ++i) {
    std::atomic<cancel_scope*> scope{nullptr};
    std::thread other([&] {
      cancel_scope* s = nullptr;
      while ((s = scope.load(std::memory_order_acquire)) == nullptr) std::this_thread::yield();
      s->request_cancel();
    });
    {
      manual_scheduler m;
      m.run([&]() -> task<> {
        bool const finished = co_await with_cancel_scope([&](cancel_scope& s) -> task<> {
          scope.store(&s, std::memory_order_release);
          co_await plait::sleep_forever();
        });
        if (!finished) ++cut_short;
      });
    }
    other.join();
  }
  CHECK(cut_short == rounds);
}

TEST_CASE("cancel: a request for the background group that arrives at its end does no harm") {
  manual_scheduler m;
  auto const handle = m.start([]() -> task<> { co_return; });
  m.run_until_idle();
  // Not a turn goes by between the request and the end of the group.
  std::thread([&] { m.sched().background().scope().request_cancel(); }).join();
  m.close();
  m.run_until_idle();
  CHECK(handle.done());
  CHECK(m.sched().cancelled_scopes == 0);
}

#if PLAIT_ASSERTIONS
TEST_CASE("cancel: cancelling on a thread that is not the scope's is refused") {
  auto const end = in_child([] {
    manual_scheduler m;
    m.run([]() -> task<> {
      co_await with_cancel_scope([](cancel_scope& s) -> task<> {
        std::thread([&] { s.cancel(); }).join();
        co_return;
      });
    });
  });
  CHECK(end.aborted());
  CHECK(end.says("cancelled on another thread; use request_cancel"));
}
#endif

TEST_CASE("cancel: leaving scopes out of order is refused") {
  auto const end = in_child([] {
    manual_scheduler m;
    m.run([]() -> task<> {
      plait::detail::task_state& self = co_await plait::detail::this_task_state();
      cancel_scope first;
      cancel_scope second;
      first.enter(self);
      second.enter(self);
      first.leave();
    });
  });
  CHECK(end.aborted());
  CHECK(end.says("left in an order other than that of entering"));
}
