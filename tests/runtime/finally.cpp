// finally, by how the body ends and how the cleanup ends:
//
//   body      | cleanup returns | cleanup throws        | cleanup passes its deadline
//   returns   | body's value    | cleanup's exception   | timed_out
//   throws    | body's          | body's; cleanup's to the error hook
//   cancelled | cancelled       | cancelled; cleanup's to the error hook
#include <plait/finally.hpp>

#include <plait/sleep.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

using namespace std::chrono_literals;
using plait::finally;
using plait::move_on_after;
using plait::sleep_for;
using plait::task;
using plait::testing::manual_scheduler;

namespace {

static_assert(std::is_trivially_destructible_v<plait::finally_options>);

task<> nothing() { co_return; }
task<> fail(char const* what) {
  co_await plait::yield();
  throw std::runtime_error(what);
}

// A scheduler that keeps what goes to the error hook.
struct hooked {
  hooked() {
    m.sched().on_unhandled = [this](std::exception_ptr error) {
      try {
        std::rethrow_exception(error);
      } catch (std::exception const& e) {
        reported += e.what();
      }
    };
  }
  manual_scheduler m;
  std::string reported;
};

}  // namespace

TEST_CASE("finally: the cleanup runs after the body, and the body's value is given") {
  hooked h;
  std::string order;
  int const got = h.m.run([&]() -> task<int> {
    auto const body = [&]() -> task<int> {
      order += "body ";
      co_await sleep_for(1ms);
      co_return 5;
    };
    auto const cleanup = [&]() -> task<> {
      co_await sleep_for(1ms);
      order += "cleanup";
    };
    co_return co_await finally(body, cleanup);
  });
  CHECK(got == 5);
  CHECK(order == "body cleanup");
  CHECK(h.reported.empty());
}

TEST_CASE("finally: values that can only be moved, references, and none at all") {
  hooked h;
  int n = 1;
  h.m.run([&]() -> task<> {
    auto const box = []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(4); };
    std::unique_ptr<int> const got = co_await finally(box, nothing);
    CHECK(*got == 4);
    auto const ref = [&]() -> task<int&> { co_return n; };
    int& same = co_await finally(ref, nothing);
    CHECK(&same == &n);
    co_await finally(nothing, nothing);
  });
}

TEST_CASE("finally: the body's exception is thrown when the cleanup has run") {
  hooked h;
  bool cleaned = false;
  auto const body = [] { return fail("body"); };
  auto const cleanup = [&]() -> task<> {
    co_await sleep_for(1ms);
    cleaned = true;
  };
  CHECK_THROWS_WITH(h.m.run([&]() -> task<> { co_await finally(body, cleanup); }), "body");
  CHECK(cleaned);
}

TEST_CASE("finally: the cleanup's exception is thrown when the body had none") {
  hooked h;
  auto const body = []() -> task<int> { co_return 1; };
  auto const cleanup = [] { return fail("cleanup"); };
  CHECK_THROWS_WITH(
      h.m.run([&]() -> task<> { static_cast<void>(co_await finally(body, cleanup)); }), "cleanup");
  CHECK(h.reported.empty());
}

TEST_CASE("finally: when both throw the body's wins, and the cleanup's goes to the error hook") {
  hooked h;
  auto const body = [] { return fail("body"); };
  auto const cleanup = [] { return fail("cleanup"); };
  CHECK_THROWS_WITH(h.m.run([&]() -> task<> { co_await finally(body, cleanup); }), "body");
  CHECK(h.reported == "cleanup");
}

TEST_CASE("finally: a cancelled body is cleaned up behind a shield, and stays cancelled") {
  hooked h;
  auto const begin = h.m.io().now();
  std::string order;
  bool finished = true;
  h.m.run([&]() -> task<> {
    finished = co_await move_on_after(10ms, [&]() -> task<> {
      auto const cleanup = [&]() -> task<> {
        co_await sleep_for(5ms);
        order += "cleaned";
      };
      co_await finally([]() -> task<> { co_await plait::sleep_forever(); }, cleanup);
      order += " never";
    });
  });
  CHECK_FALSE(finished);
  CHECK(order == "cleaned");
  CHECK(h.m.io().now() - begin == 15ms);
  CHECK(h.m.sched().cancelled_scopes == 0);
}

TEST_CASE("finally: a cancelled body whose cleanup throws stays cancelled, and the hook is told") {
  hooked h;
  bool finished = true;
  h.m.run([&]() -> task<> {
    finished = co_await move_on_after(1ms, [&]() -> task<> {
      co_await finally([]() -> task<> { co_await plait::sleep_forever(); },
                       [] { return fail("cleanup"); });
    });
  });
  CHECK_FALSE(finished);
  CHECK(h.reported == "cleanup");
}

TEST_CASE("finally: a cleanup that passes its deadline is cut short and counts as failed") {
  hooked h;
  auto const begin = h.m.io().now();
  bool cut_short = false;
  auto const endless = [&]() -> task<> {
    try {
      co_await plait::sleep_forever();
    } catch (plait::cancelled const&) {
      cut_short = true;
      throw;
    }
  };
  CHECK_THROWS_AS(
      h.m.run([&]() -> task<> { co_await finally(nothing, endless, {.deadline = 20ms}); }),
      plait::timed_out);
  CHECK(cut_short);
  CHECK(h.m.io().now() - begin == 20ms);

  // The default is five seconds; beside a failing body the timeout is reported.
  auto const body = [] { return fail("body"); };
  CHECK_THROWS_WITH(h.m.run([&]() -> task<> { co_await finally(body, endless); }), "body");
  CHECK(h.m.io().now() - begin == 20ms + 5s);
  CHECK(h.reported.find("timed out") != std::string::npos);
}

TEST_CASE("finally: a cleanup without a deadline may take as long as it likes") {
  hooked h;
  auto const slow = []() -> task<> { co_await sleep_for(1000h); };
  bool done = false;
  h.m.run([&]() -> task<> {
    co_await finally(nothing, slow, {.deadline = plait::duration::max()});
    done = true;
  });
  CHECK(done);
}

TEST_CASE("finally: they nest, the innermost cleanup first") {
  hooked h;
  std::string order;
  h.m.run([&]() -> task<> {
    co_await move_on_after(1ms, [&]() -> task<> {
      auto const note = [&](char c) -> task<> {
        co_await sleep_for(1ms);
        order += c;
      };
      auto const inner = [&]() -> task<> {
        co_await finally([]() -> task<> { co_await plait::sleep_forever(); },
                         [&] { return note('a'); });
      };
      co_await finally(inner, [&] { return note('b'); });
    });
  });
  CHECK(order == "ab");
}
