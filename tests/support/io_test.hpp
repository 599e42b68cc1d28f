// A test case that runs once on each kernel driver, over real sockets, pipes and files:
//
//     IO_TEST("tcp: read after the peer closes returns 0") {
//       io.run([&]() -> task<> { ... });
//     }
//
// The driver shows in the case's name. Where PLAIT_DRIVER names the other one, or the kernel
// refuses io_uring, the case is skipped and says so. A case that hangs is killed by name.
#pragma once

#include <plait/driver.hpp>
#include <plait/run.hpp>
#include <plait/scheduler.hpp>
#include <plait/sleep.hpp>
#include <plait/task.hpp>

#include <catch2/catch.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <utility>

namespace plait::test {

class io_fixture {
 public:
  explicit io_fixture(driver_kind kind) { options.kind = kind; }

  driver_options options;  // for the schedulers that `run` makes
  bool on_uring() const noexcept { return options.kind == driver_kind::io_uring; }

  // fn() gives a task; runs it to its end on a scheduler of its own.
  template <class Fn>
  auto run(Fn&& fn) {
    scheduler s(make_driver(options));
    return run_on(s, std::invoke(fn));
  }
};

void run_io_test(driver_kind kind, char const* name, void (*body)(io_fixture&));

// Kills the process, and says which test hangs, when it is not destroyed in time. For processes
// that a test forks as well: they inherit no alarm.
class hang_guard {
 public:
  explicit hang_guard(char const* name, unsigned patience_s = 20);
  ~hang_guard();
  hang_guard(hang_guard const&) = delete;
  hang_guard& operator=(hang_guard const&) = delete;
};

// Lets every ready task run, and the driver submit and look, so many times.
inline task<> turns(int count = 1) {
  for (int i = 0; i < count; ++i) co_await sleep_for(duration::zero());
}

}  // namespace plait::test

#define PLAIT_IO_TEST_NAMED(body, name)                                                      \
  static void body(::plait::test::io_fixture& io);                                           \
  TEST_CASE(name " [io_uring]", "[io][io_uring]") {                                          \
    ::plait::test::run_io_test(::plait::driver_kind::io_uring, name " [io_uring]", &(body)); \
  }                                                                                          \
  TEST_CASE(name " [epoll]", "[io][epoll]") {                                                \
    ::plait::test::run_io_test(::plait::driver_kind::epoll, name " [epoll]", &(body));       \
  }                                                                                          \
  static void body([[maybe_unused]] ::plait::test::io_fixture& io)

#define IO_TEST(name) PLAIT_IO_TEST_NAMED(INTERNAL_CATCH_UNIQUE_NAME(plait_io_test_), name)
