#include <plait/testing/ledger.hpp>

#include "support/death.hpp"

#include <plait/detail/config.hpp>
#include <plait/sleep.hpp>
#include <plait/system_calls.hpp>
#include <plait/task.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using plait::test::child_end;
using plait::testing::ledger_guard;

namespace {

constexpr char leak_switch[] = "PLAIT_TEST_LEAKS_ON_PURPOSE";

// Not inline: clang would do without a frame.
[[gnu::noinline]] plait::task<> never_run() { co_return; }

bool on_purpose() { return std::getenv(leak_switch) != nullptr; }

}  // namespace

TEST_CASE("ledger: nothing differs where nothing happened") {
  ledger_guard ledger;
  CHECK(ledger.differences() == "");
}

TEST_CASE("ledger: a descriptor left open is named with what it refers to") {
  ledger_guard ledger;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  ::close(ends[0]);
  std::string const left = ledger.differences();
  CHECK(left.find("descriptor " + std::to_string(ends[1]) + " (pipe:") != std::string::npos);
  CHECK(left.find("is left") != std::string::npos);
  ::close(ends[1]);
}

TEST_CASE("ledger: a descriptor that a test closed although it was not its own is named") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  {
    ledger_guard ledger;
    ::close(ends[0]);
    CHECK(ledger.differences().find("is gone") != std::string::npos);
  }
  ::close(ends[1]);
}

TEST_CASE("ledger: a child that nobody waited for is named") {
  ledger_guard ledger;
  pid_t const child = ::fork();
  if (child == 0) ::_exit(0);
  REQUIRE(child > 0);
  std::string const left = ledger.differences();
  CHECK(left.find("child process " + std::to_string(child)) != std::string::npos);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("ledger: a thread that runs on is named") {
  ledger_guard ledger;
  std::atomic<bool> end{false};
  std::thread runs_on([&] { end.wait(false); });
  CHECK(ledger.differences().find("thread ") != std::string::npos);
  end = true;
  end.notify_all();
  runs_on.join();
}

TEST_CASE("ledger: a thread that was joined is not held against the test") {
  ledger_guard ledger;
  std::thread([] {}).join();
  CHECK(ledger.differences() == "");
}

TEST_CASE("ledger: a live coroutine frame is counted where assertions are on") {
  ledger_guard ledger;
  auto const frame = never_run();
  std::string const left = ledger.differences();
#if PLAIT_ASSERTIONS
  CHECK(left.find("1 coroutine frames more than before") != std::string::npos);
  CHECK(left.find("bytes in coroutine frames more than before") != std::string::npos);
#else
  CHECK(left == "");
#endif
}

TEST_CASE("ledger: an operation that waits and a timer that is armed are counted where assertions are on") {
  ledger_guard ledger;
  plait::testing::manual_scheduler m;
  std::string left;
  m.run([&]() -> plait::task<> {
    co_await plait::with_task_group([&](plait::task_group& g) -> plait::task<> {
      g.spawn([]() -> plait::task<> { co_await plait::sleep_forever(); });
      g.spawn([]() -> plait::task<> { co_await plait::sleep_for(std::chrono::hours(1)); });
      co_await plait::yield();
      left = ledger.differences();
      g.cancel();
    });
  });
#if PLAIT_ASSERTIONS
  CHECK(left.find("operations in flight more than before") != std::string::npos);
  CHECK(left.find("1 armed timers more than before") != std::string::npos);
#else
  CHECK(left == "");
#endif
  CHECK(ledger.differences() == "");
}

TEST_CASE("ledger: shared memory that stays mapped, and a name in /dev/shm, are named") {
  ledger_guard ledger;
  auto& kernel = plait::system_calls::real();
  int const fd = kernel.create_sealed_memory("plait-ledger", 4096);
  REQUIRE(fd >= 0);
  void* at = nullptr;
  REQUIRE(kernel.map_memory(fd, 4096, at) == 0);
  ::close(fd);
  std::string const path = "/dev/shm/plait-" + std::to_string(::getpid()) + "-ledger";
  int const entry = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  ::close(entry);
  std::string const left = ledger.differences();
  kernel.unmap_memory(at, 4096);
  ::unlink(path.c_str());
  CHECK(left.find("shared memory (mapped /memfd:plait-ledger") != std::string::npos);
  CHECK((entry < 0 || left.find("shared memory (" + path + ") is left") != std::string::npos));
  CHECK(ledger.differences() == "");
}

TEST_CASE("ledger: a guard that nobody asked aborts when something is left") {
  child_end const end = plait::test::in_child([] {
    ledger_guard const ledger;
    int ends[2];
    if (::pipe(ends) != 0) ::_exit(9);
  });
  CHECK(end.aborted());
  CHECK(end.says("something was left behind"));
  CHECK(end.says("pipe:"));
}

TEST_CASE("ledger: a guard that nobody asked says nothing when nothing is left") {
  child_end const end = plait::test::in_child([] { ledger_guard const ledger; });
  CHECK(end.exited_with(0));
}

// Leaks only in the process that the next test case starts.
TEST_CASE("ledger: this test leaves a pipe open when it is told to") {
  int ends[2] = {-1, -1};
  if (on_purpose()) REQUIRE(::pipe(ends) == 0);
  CHECK(on_purpose() == (ends[0] >= 0));
}

TEST_CASE("ledger: a test that leaves something behind fails its test binary") {
  child_end const end = plait::test::run_this_binary(
      "ledger: this test leaves a pipe open when it is told to", leak_switch);
  CHECK(end.exited_with(1));
  CHECK(end.says("the test left something behind"));
  CHECK(end.says("(pipe:"));
  CHECK(end.says("test cases: 1 | 1 failed"));
}

TEST_CASE("ledger: the same test passes when it leaves nothing") {
  child_end const end = plait::test::run_this_binary(
      "ledger: this test leaves a pipe open when it is told to", "PLAIT_TEST_LEAKS_NOTHING");
  CHECK(end.exited_with(0));
}
