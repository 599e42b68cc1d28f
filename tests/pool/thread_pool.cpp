#include <plait/thread_pool.hpp>

#include "support/allocate.hpp"

#include <plait/cancel.hpp>
#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/allocation_fault.hpp>

#include "usable_cpus.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <latch>
#include <memory>
#include <numeric>
#include <semaphore>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <signal.h>

using namespace plait;

namespace {

int doubled(int n) { return 2 * n; }

// A job that tells when it runs and ends when it is let.
struct gate {
  std::binary_semaphore running{0};
  std::binary_semaphore go_on{0};
  void pass() {
    running.release();
    go_on.acquire();
  }
};

template <class Fn>
auto run_here(Fn fn) {
  return plait::run(std::ref(fn));
}

std::string name_of_this_thread() {
  char name[16] = "";
  ::pthread_getname_np(::pthread_self(), name, sizeof name);
  return name;
}

}  // namespace

TEST_CASE("thread pool: a job's value comes back to the task that awaits it") {
  thread_pool pool({.threads = 1});
  CHECK(run_here([&]() -> task<int> { co_return co_await pool.run(doubled, 21); }) == 42);
}

TEST_CASE("thread pool: a job runs on another thread and its task goes on where it was") {
  thread_pool pool({.threads = 1});
  std::thread::id worker;
  std::thread::id after;
  run_here([&]() -> task<> {
    auto const who = [] { return std::this_thread::get_id(); };
    worker = co_await pool.run(who);
    after = std::this_thread::get_id();
  });
  CHECK(worker != std::this_thread::get_id());
  CHECK(after == std::this_thread::get_id());
}

TEST_CASE("thread pool: a job may give nothing, a reference, or what can only be moved") {
  thread_pool pool({.threads = 1});
  int target = 0;
  run_here([&]() -> task<> {
    co_await pool.run([](int& n) { n = 7; }, std::ref(target));
    int& same = co_await pool.run([](int& n) -> int& { return n; }, std::ref(target));
    CHECK(&same == &target);
    auto const owner = co_await pool.run([] { return std::make_unique<int>(9); });
    CHECK(*owner == 9);
  });
  CHECK(target == 7);
}

TEST_CASE("thread pool: arguments are moved into the job, and callables may be move-only") {
  thread_pool pool({.threads = 1});
  run_here([&]() -> task<> {
    auto argument = std::make_unique<int>(5);
    int const n = co_await pool.run([](std::unique_ptr<int> p) { return *p; }, std::move(argument));
    CHECK(n == 5);
    auto counting = [state = std::make_unique<int>(3)] { return ++*state; };
    int const counted = co_await pool.run(moved(counting));
    CHECK(counted == 4);
  });
}

TEST_CASE("thread pool: a job's exception reaches the task unchanged") {
  thread_pool pool({.threads = 1});
  run_here([&]() -> task<> {
    std::string said;
    try {
      co_await pool.run([] { throw std::out_of_range("row 12"); });
    } catch (std::out_of_range const& e) {
      said = e.what();
    }
    CHECK(said == "row 12");
    CHECK(co_await pool.run(doubled, 1) == 2);
  });
}

TEST_CASE("thread pool: jobs of one submitter start in the order of submission") {
  thread_pool pool({.threads = 1});
  std::vector<int> order;
  gate first;
  run_here([&]() -> task<> {
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await pool.run([&] { first.pass(); }); });
      for (int i = 0; i < 100; ++i) {
        g.spawn([&](int n) -> task<> { co_await pool.run([&order](int m) { order.push_back(m); }, n); },
                i);
      }
      co_await yield();
      co_await yield();
      first.go_on.release();
      co_await g.join();
    });
  });
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(order == expected);
}

TEST_CASE("thread pool: ten thousand jobs all run once") {
  thread_pool pool({.threads = 3});
  std::atomic<int> ran{0};
  long sum = 0;
  run_here([&]() -> task<> {
    co_await with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 10'000; ++i) {
        g.spawn(
            [&](int n) -> task<> {
              sum += co_await pool.run(
                  [&ran](int m) {
                    ran.fetch_add(1, std::memory_order_relaxed);
                    return m;
                  },
                  n);
            },
            i);
      }
      co_await g.join();
    });
  });
  CHECK(ran == 10'000);
  CHECK(sum == 10'000L * 9'999 / 2);
}

TEST_CASE("thread pool: all threads work at the same time") {
  thread_pool pool({.threads = 4});
  std::latch all_there(4);  // nobody gets past it alone
  int arrived = 0;
  run_here([&]() -> task<> {
    co_await with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 4; ++i) {
        g.spawn([&]() -> task<> {
          co_await pool.run([&] { all_there.arrive_and_wait(); });
          ++arrived;
        });
      }
      co_await g.join();
    });
  });
  CHECK(arrived == 4);
}

TEST_CASE("thread pool: a cancelled job that still queues never runs") {
  thread_pool pool({.threads = 1});
  gate first;
  bool ran = false;
  bool saw_cancel = false;
  run_here([&]() -> task<> {
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await pool.run([&] { first.pass(); }); });
      co_await yield();
      first.running.acquire();
      co_await with_task_group([&](task_group& queued) -> task<> {
        queued.spawn([&]() -> task<> {
          try {
            co_await pool.run([&] { ran = true; });
          } catch (cancelled const&) {
            saw_cancel = true;
            throw;
          }
        });
        co_await yield();
        queued.cancel();
        co_await queued.join();  // ends although the thread is busy
      });
      first.go_on.release();
      co_await g.join();
    });
  });
  CHECK(saw_cancel);
  CHECK_FALSE(ran);
}

TEST_CASE("thread pool: cancelling the middle of the queue leaves the others in order") {
  thread_pool pool({.threads = 1});
  gate first;
  std::vector<int> order;
  run_here([&]() -> task<> {
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await pool.run([&] { first.pass(); }); });
      auto const job = [&](int n) -> task<> {
        co_await pool.run([&order](int m) { order.push_back(m); }, n);
      };
      co_await yield();
      first.running.acquire();
      g.spawn(job, 1);
      co_await with_task_group([&](task_group& dropped) -> task<> {
        dropped.spawn(job, 2);
        co_await yield();
        g.spawn(job, 3);
        dropped.spawn(job, 4);
        co_await yield();
        dropped.cancel();
        co_await dropped.join();
      });
      g.spawn(job, 5);
      co_await yield();
      first.go_on.release();
      co_await g.join();
    });
  });
  CHECK(order == std::vector<int>{1, 3, 5});
}

TEST_CASE("thread pool: a running job sees its stop token and the await ends with the job") {
  thread_pool pool({.threads = 1});
  std::binary_semaphore running{0};
  std::atomic<bool> ended{false};
  bool ended_first = false;
  run_here([&]() -> task<> {
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        auto const until_stopped = [&](std::stop_token stop) {
          std::binary_semaphore asked{0};
          std::stop_callback const on_stop(stop, [&] { asked.release(); });
          running.release();
          asked.acquire();
          ended = true;
          throw job_stopped();
        };
        try {
          co_await pool.run(until_stopped);
        } catch (cancelled const&) {
          ended_first = ended;
          throw;
        }
      });
      co_await yield();
      running.acquire();
      g.cancel();
      co_await g.join();
    });
  });
  CHECK(ended_first);
}

TEST_CASE("thread pool: a running job that returns after it was cancelled still delivers its value") {
  thread_pool pool({.threads = 1});
  std::binary_semaphore running{0};
  std::atomic<bool> go_on{false};
  int value = 0;
  run_here([&]() -> task<> {
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        value = co_await pool.run([&] {  // takes no token: is simply waited for
          running.release();
          go_on.wait(false);
          return 11;
        });
      });
      co_await yield();
      running.acquire();
      g.cancel();
      go_on = true;
      go_on.notify_one();
      co_await g.join();
    });
  });
  CHECK(value == 11);
}

TEST_CASE("thread pool: job_stopped from a job that nobody asked to stop is an error like others") {
  thread_pool pool({.threads = 1});
  run_here([&]() -> task<> {
    bool caught = false;
    try {
      co_await pool.run([] { throw job_stopped(); });
    } catch (job_stopped const&) {
      caught = true;
    }
    CHECK(caught);
  });
}

TEST_CASE("thread pool: a task that is cancelled already starts no job") {
  thread_pool pool({.threads = 1});
  bool ran = false;
  run_here([&]() -> task<> {
    co_await with_task_group([&](task_group& g) -> task<> {
      g.cancel();
      g.spawn([&]() -> task<> { co_await pool.run([&] { ran = true; }); });
      co_await g.join();
    });
  });
  CHECK_FALSE(ran);
}

TEST_CASE("thread pool: an operation that is never awaited does nothing") {
  thread_pool pool({.threads = 1});
  bool ran = false;
  {
    auto const op = pool.run([&] { ran = true; });
    static_cast<void>(op);
  }
  CHECK_FALSE(ran);
}

TEST_CASE("thread pool: destroying an idle pool joins its threads") {
  for (int i = 0; i < 20; ++i) thread_pool const pool({.threads = 4});
  SUCCEED("the ledger counts the threads");
}

TEST_CASE("thread pool: destruction runs what was submitted") {
  struct counted : pool_job {
    explicit counted(std::atomic<int>& to)
        : pool_job([](pool_job& j) noexcept { ++static_cast<counted&>(j).total; }), total(to) {}
    std::atomic<int>& total;
  };
  std::atomic<int> ran{0};
  std::vector<std::unique_ptr<counted>> jobs;
  for (int i = 0; i < 1000; ++i) jobs.push_back(std::make_unique<counted>(ran));
  {
    thread_pool pool({.threads = 2});
    for (auto& job : jobs) pool.submit(*job);
  }
  CHECK(ran == 1000);
}

TEST_CASE("thread pool: a withdrawn job does not run, and one that runs cannot be withdrawn") {
  struct flagged : pool_job {
    flagged() : pool_job([](pool_job& j) noexcept { static_cast<flagged&>(j).ran = true; }) {}
    std::atomic<bool> ran{false};
  };
  struct blocking : pool_job {
    blocking() : pool_job([](pool_job& j) noexcept { static_cast<blocking&>(j).g.pass(); }) {}
    gate g;
  };
  flagged withdrawn;
  blocking busy;
  {
    thread_pool pool({.threads = 1});
    pool.submit(busy);
    busy.g.running.acquire();
    CHECK_FALSE(pool.try_withdraw(busy));
    pool.submit(withdrawn);
    CHECK(pool.try_withdraw(withdrawn));
    CHECK_FALSE(pool.try_withdraw(withdrawn));
    busy.g.go_on.release();
  }
  CHECK_FALSE(withdrawn.ran);
}

TEST_CASE("thread pool: its threads carry its name") {
  thread_pool pool({.threads = 1, .name = "a-very-long-pool-name"});
  run_here([&]() -> task<> { CHECK(co_await pool.run(name_of_this_thread) == "a-very-long-poo"); });
  thread_pool cpu({.threads = 1, .name = "cpu"});
  run_here([&]() -> task<> { CHECK(co_await cpu.run(name_of_this_thread) == "cpu-0"); });
}

TEST_CASE("thread pool: its threads leave signals to the program") {
  thread_pool pool({.threads = 1});
  bool const blocked = run_here([&]() -> task<bool> {
    co_return co_await pool.run([] {
      sigset_t mask;
      ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      return ::sigismember(&mask, SIGTERM) == 1;
    });
  });
  CHECK(blocked);
}

TEST_CASE("thread pool: tasks of many schedulers share one") {
  thread_pool pool({.threads = 2});
  std::atomic<long> total{0};
  auto const client = [&] {
    run_here([&]() -> task<> {
      for (int i = 0; i < 500; ++i) total += co_await pool.run(doubled, i);
    });
  };
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) clients.emplace_back(client);
  for (auto& c : clients) c.join();
  CHECK(total == 4L * 500 * 499);
}

TEST_CASE("thread pool: schedulers that end at once after their job do not disturb it") {
  thread_pool pool({.threads = 2});
  std::atomic<int> done{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      for (int n = 0; n < 300; ++n) {
        done += run_here([&]() -> task<int> { co_return co_await pool.run([] { return 1; }); });
      }
    });
  }
  for (auto& c : clients) c.join();
  CHECK(done == 900);
}

TEST_CASE("thread pool: jobs that race with their cancellation either ran or were cancelled") {
  thread_pool pool({.threads = 2});
  int ran = 0;
  int stopped = 0;
  run_here([&]() -> task<> {
    for (int round = 0; round < 300; ++round) {
      co_await with_task_group([&](task_group& g) -> task<> {
        for (int i = 0; i < 8; ++i) {
          g.spawn([&]() -> task<> {
            std::atomic<bool> did_run{false};
            bool threw = false;
            try {
              co_await pool.run([&] { did_run = true; });
            } catch (cancelled const&) {
              threw = true;
            }
            ++(threw ? stopped : ran);
            if (did_run == threw) throw std::logic_error("ran and was cancelled, or neither");
          });
        }
        for (int i = 0; i <= round % 4; ++i) co_await yield();
        g.cancel();
        co_await g.join();
      });
    }
  });
  CHECK(ran + stopped == 300 * 8);
}

TEST_CASE("thread pool: a nested job may submit to the same pool from its thread") {
  struct chain : pool_job {
    explicit chain(thread_pool& p)
        : pool_job([](pool_job& j) noexcept {
            auto& self = static_cast<chain&>(j);
            if (--self.left == 0) {
              self.done.release();
            } else {
              self.pool.submit(self);
            }
          }),
          pool(p) {}
    thread_pool& pool;
    int left = 1000;
    std::binary_semaphore done{0};
  };
  thread_pool pool({.threads = 2});
  chain c(pool);
  pool.submit(c);
  c.done.acquire();
  CHECK(c.left == 0);
}

namespace {

// Threads run out after a few.
struct few_threads final : system_calls {
  explicit few_threads(int n) : left(n) {}
  int create_thread(pthread_t& made, void* (*body)(void*), void* argument) noexcept override {
    return left-- > 0 ? system_calls::create_thread(made, body, argument) : -EAGAIN;
  }
  int left;
};

}  // namespace

TEST_CASE("thread pool: makes do with fewer threads where no more can be started") {
  few_threads sys(2);
  thread_pool pool({.threads = 8}, sys);
  CHECK(pool.size() == 2);
  CHECK(run_here([&]() -> task<int> { co_return co_await pool.run(doubled, 4); }) == 8);
}

TEST_CASE("thread pool: without a single thread it says what to do") {
  few_threads sys(0);
  std::string said;
  try {
    thread_pool const pool({.threads = 8}, sys);
  } catch (std::system_error const& e) {
    said = e.what();
    CHECK(e.code() == std::errc::resource_unavailable_try_again);
  }
  CHECK(said.find("ulimit -u") != std::string::npos);
}

TEST_CASE("thread pool: its default size is the CPUs that may be used") {
  thread_pool const pool;
  CHECK(pool.size() == usable_cpus());
  CHECK(pool.size() >= 1);
}

TEST_CASE("usable_cpus: a quota counts in whole CPUs, rounded up") {
  using detail::cpus_of_quota;
  CHECK(cpus_of_quota("200000 100000") == 2);
  CHECK(cpus_of_quota("150000 100000") == 2);
  CHECK(cpus_of_quota("1000 100000") == 1);
  CHECK(cpus_of_quota("max 100000") == 0);
  CHECK(cpus_of_quota("-1 100000") == 0);
  CHECK(cpus_of_quota("") == 0);
  CHECK(cpus_of_quota("100000") == 0);
  CHECK(cpus_of_quota("100000 0") == 0);
}

#if PLAIT_TEST_OPERATOR_NEW
TEST_CASE("thread pool: where there is no memory for it, nothing of it is left") {
  int failures = 0;
  bool fails = true;
  for (long nth = 1; fails; ++nth) {
    testing::allocation_fault const fault(nth);
    try {
      thread_pool const pool({.threads = 3, .name = "a name too long for a small string"});
    } catch (std::bad_alloc const&) {
      ++failures;
    }
    fails = fault.happened();
  }
  sigset_t blocked;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  CHECK(failures >= 4);
  CHECK(::sigismember(&blocked, SIGTERM) == 0);
}
#endif
