// The native stack stays bounded however long a chain of awaits is. Compilers
// differ here (symmetric transfer is a tail call with clang always, with g++ only at -O2).
#include <plait/task.hpp>

#include "support/operations.hpp"

#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>

#include <pthread.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool slow_build = true;
#elif defined(__has_feature)
constexpr bool slow_build = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool slow_build = false;
#endif

using plait::task;
using plait::testing::manual_scheduler;

namespace {

constexpr int depth = 100'000;
constexpr int million = 1'000'000;

task<int> one() { co_return 1; }

task<long> loop(int rounds) {
  long sum = 0;
  for (int i = 0; i < rounds; ++i) sum += co_await one();
  co_return sum;
}

task<long> ready_loop(int rounds) {
  long sum = 0;
  for (int i = 0; i < rounds; ++i) sum += co_await plait::test::ready_operation(1);
  co_return sum;
}

task<long> recurse(int levels) {
  if (levels == 0) co_return 0;
  long const below = co_await recurse(levels - 1);
  co_return below + 1;
}

task<long> recurse_to_a_wait(int levels) {
  if (levels == 0) {
    co_await plait::yield();
    co_return 0;
  }
  long const below = co_await recurse_to_a_wait(levels - 1);
  co_return below + 1;
}

task<> throw_from(int levels) {
  if (levels == 0) throw std::runtime_error("from below");
  co_await throw_from(levels - 1);
}

task<> cancel_below(int levels) {
  if (levels == 0) {
    co_await plait::sleep_forever();
  } else {
    co_await cancel_below(levels - 1);
  }
}

// Runs `body` on a thread with a stack of this size; what it throws comes back as text.
std::string on_small_stack(std::size_t bytes, std::function<void()> body) {
  struct job {
    std::function<void()> body;
    std::string error;
  } mine{std::move(body), {}};
  pthread_attr_t attributes;
  REQUIRE(::pthread_attr_init(&attributes) == 0);
  REQUIRE(::pthread_attr_setstacksize(&attributes, bytes) == 0);
  pthread_t thread;
  auto const run = [](void* argument) -> void* {
    auto& j = *static_cast<job*>(argument);
    try {
      j.body();
    } catch (std::exception const& e) {
      j.error = e.what();
    }
    return nullptr;
  };
  REQUIRE(::pthread_create(&thread, &attributes, run, &mine) == 0);
  ::pthread_attr_destroy(&attributes);
  REQUIRE(::pthread_join(thread, nullptr) == 0);
  return mine.error;
}

constexpr std::size_t small_stack = 256 * 1024;

}  // namespace

TEST_CASE("depth: a million tasks awaited in a loop") {
  manual_scheduler m;
  CHECK(m.run(loop, million) == million);
}

TEST_CASE("depth: a million operations that are ready at once") {
  manual_scheduler m;
  CHECK(m.run(ready_loop, million) == million);
}

TEST_CASE("depth: a chain of a hundred thousand tasks") {
  manual_scheduler m;
  CHECK(m.run(recurse, depth) == depth);
}

TEST_CASE("depth: a chain of a hundred thousand tasks that suspends at its end") {
  manual_scheduler m;
  CHECK(m.run(recurse_to_a_wait, depth) == depth);
}

TEST_CASE("depth: an exception through a hundred thousand frames") {
  manual_scheduler m;
  CHECK_THROWS_WITH(m.run(throw_from, depth), "from below");
}

TEST_CASE("depth: a cancellation through a hundred thousand frames") {
  manual_scheduler m;
  bool const finished = m.run([]() -> task<bool> {
    co_return co_await plait::move_on_after(std::chrono::milliseconds(1), cancel_below, depth);
  });
  CHECK_FALSE(finished);
}

TEST_CASE("depth: all of it on a stack of 256 KiB") {
  long in_loop = 0;
  long in_chain = 0;
  std::string thrown;
  std::string const error = on_small_stack(small_stack, [&] {
    manual_scheduler m;
    in_loop = m.run(loop, million);
    in_chain = m.run(recurse_to_a_wait, depth);
    try {
      m.run(throw_from, depth);
    } catch (std::runtime_error const& e) {
      thrown = e.what();
    }
  });
  CHECK(error == "");
  CHECK(in_loop == million);
  CHECK(in_chain == depth);
  CHECK(thrown == "from below");
}

TEST_CASE("depth: ten million awaits in a loop, and a chain of a million tasks, on a stack of 256 KiB") {
  // A sanitizer's frames are large and slow: a tenth of it.
  constexpr int less = slow_build ? 10 : 1;
  constexpr int awaits = 10 * million / less;
  constexpr int levels = million / less;
  long of_tasks = 0;
  long of_operations = 0;
  long in_chain = 0;
  long in_waiting_chain = 0;
  std::string const error = on_small_stack(small_stack, [&] {
    manual_scheduler m;
    of_tasks = m.run(loop, awaits);
    of_operations = m.run(ready_loop, awaits);
    in_chain = m.run(recurse, levels);
    in_waiting_chain = m.run(recurse_to_a_wait, levels);
  });
  CHECK(error == "");
  CHECK(of_tasks == awaits);
  CHECK(of_operations == awaits);
  CHECK(in_chain == levels);
  CHECK(in_waiting_chain == levels);
}
