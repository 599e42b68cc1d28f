#include <plait/testing/allocation_fault.hpp>

#include "support/allocate.hpp"

#include <plait/driver.hpp>
#include <plait/task.hpp>
#include <plait/testing/ledger.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <new>
#include <string>
#include <thread>

#include <poll.h>

using plait::task;
using plait::testing::allocation_fault;
using plait::testing::manual_scheduler;

namespace {

bool allocate() {
  try {
    plait::test::allocate_something();
    return true;
  } catch (std::bad_alloc const&) {
    return false;
  }
}

[[gnu::noinline]] task<> do_nothing() { co_return; }

}  // namespace

TEST_CASE("allocation fault: the n-th allocation fails, and no other") {
  std::string went;
  {
    allocation_fault const fault(3);
    for (int i = 0; i < 5; ++i) went.push_back(allocate() ? 'y' : 'n');
    CHECK(fault.happened());
  }
  CHECK(went == "yynyy");
  CHECK(allocate());
}

TEST_CASE("allocation fault: with 0 it counts") {
  long seen = 0;
  bool failed = false;
  {
    allocation_fault const fault(0);
    for (int i = 0; i < 5; ++i) failed = !allocate() || failed;
    seen = fault.seen();
  }
  CHECK_FALSE(failed);
  CHECK(seen == 5);
}

TEST_CASE("allocation fault: other threads go on as ever") {
  std::atomic<bool> armed{false};
  bool elsewhere = false;
  bool here = true;
  std::thread other([&] {
    armed.wait(false);
    elsewhere = allocate();
  });
  {
    allocation_fault const fault(1);
    armed = true;
    armed.notify_one();
    other.join();
    here = allocate();
  }
  CHECK(elsewhere);
  CHECK_FALSE(here);
}

#if PLAIT_ASSERTIONS
TEST_CASE("allocation fault: a frame for which there is no memory is not counted as alive") {
  plait::testing::ledger_guard ledger;
  bool refused = false;
  {
    allocation_fault const fault(1);
    try {
      task<> const never = do_nothing();
    } catch (std::bad_alloc const&) {
      refused = true;
    }
  }
  CHECK(refused);
  CHECK(ledger.differences() == "");
}
#endif

TEST_CASE("allocation fault: the end of a run needs no memory") {
  manual_scheduler m;
  m.start(do_nothing);
  m.run(do_nothing);
  long seen = 0;
  {
    allocation_fault const fault(1);
    m.close();
    seen = fault.seen();
  }
  CHECK(seen == 0);
  CHECK(m.sched().cancelled_scopes == 0);
}

#if PLAIT_TEST_OPERATOR_NEW
TEST_CASE("allocation fault: a wait that the driver has no memory for throws, and is over") {
  manual_scheduler m;
  bool refused = false;
  m.run([&]() -> task<> {
    try {
      allocation_fault const fault(1);
      co_await plait::fd_wait(0, POLLIN);
    } catch (std::bad_alloc const&) {
      refused = true;
    }
  });
  CHECK(refused);
  CHECK(m.io().waits().empty());
}
#endif
