// Process pools whose processes die.
#include <plait/process_pool.hpp>

#include "fifo.hpp"
#include "watched.hpp"

#include <plait/driver.hpp>
#include <plait/pool/errors.hpp>
#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace plait;
using test::fifo;

namespace {

constexpr restart_limits patient{.deaths = 1000, .delay = std::chrono::milliseconds(1)};

int doubled(int n) { return 2 * n; }
pid_t own_pid() { return ::getpid(); }

int stop_and_go_on() {
  ::raise(SIGSTOP);
  return 7;
}

bool is_stopped(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(file, line);
  return line.find(") T ") != std::string::npos;
}

void wait_to_be_killed(std::string const& running) {
  test::say(running, ::getpid());
  for (;;) ::pause();
}

// The worker's socket is descriptor 3: what a damaged worker might send.
void send_as_worker(std::string bytes) {
  if (::write(3, bytes.data(), bytes.size()) < 0) ::_exit(1);
}

// No more memory than this beyond what is mapped now. Sanitizers map too much to be limited.
class address_space_limit {
 public:
  explicit address_space_limit([[maybe_unused]] rlim_t more) {
    ::getrlimit(RLIMIT_AS, &before_);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if !defined(__has_feature)
#define __has_feature(x) 0
#endif
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit const limit{pages * 4096 + more, before_.rlim_max};
    ::setrlimit(RLIMIT_AS, &limit);
#endif
#endif
  }
  ~address_space_limit() { ::setrlimit(RLIMIT_AS, &before_); }
  address_space_limit(address_space_limit const&) = delete;
  address_space_limit& operator=(address_space_limit const&) = delete;

 private:
  rlimit before_{};
};

template <class Fn>
auto run_here(Fn fn) {
  return plait::run(std::ref(fn));
}

template <class Op>
task<std::optional<process_end>> end_of(Op op) {
  std::optional<process_end> end;
  try {
    co_await std::move(op);
  } catch (worker_died const& e) {
    end = e.how();
  }
  co_return end;
}

}  // namespace

TEST_CASE("process pool: an idle worker that is killed fails no job and is replaced") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    co_await pool.start();
    pid_t const victim = pool.worker_pids().front();
    co_await test::kill_and_wait(victim);
    pid_t const next = co_await pool.run(own_pid);
    CHECK(next != victim);
    CHECK(pool.stats().restarts == 1);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a worker killed at its job fails that job, and the others go on") {
  run_here([]() -> task<> {
    fifo running;
    process_pool pool({.workers = 2});
    std::string what;
    process_end how;
    long total = 0;
    pid_t victim = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        try {
          co_await pool.run(wait_to_be_killed, running.path());
        } catch (worker_died const& e) {
          what = e.what();
          how = e.how();
        }
      });
      for (int i = 0; i < 99; ++i) {
        g.spawn([&](int n) -> task<> { total += co_await pool.run(doubled, n); }, i);
      }
      victim = co_await running.next();
      ::kill(victim, SIGKILL);
      co_await g.join();
    });
    CHECK(total == 98 * 99);
    CHECK(how.pid == victim);
    CHECK(how.known);
    CHECK(how.signal == SIGKILL);
    CHECK(what.find("signal 9 (Killed)") != std::string::npos);
    CHECK(what.find("basic_string") != std::string::npos);  // the job's type
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a job that ends its worker fails with how it ended") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1, .restarts = patient});
    auto const exited = co_await end_of(pool.run([] { ::_exit(3); }));
    REQUIRE(exited);
    CHECK(exited->signal == 0);
    CHECK(exited->exit_code == 3);
    auto const left = co_await end_of(pool.run([] { ::_exit(0); }));
    REQUIRE(left);
    CHECK(left->exit_code == 0);
    auto const aborted = co_await end_of(pool.run([] {
      ::signal(SIGABRT, SIG_DFL);
      std::abort();
    }));
    REQUIRE(aborted);
    CHECK(aborted->signal == SIGABRT);
    auto const killed = co_await end_of(pool.run([] { ::raise(SIGKILL); }));
    REQUIRE(killed);
    CHECK(killed->signal == SIGKILL);
    CHECK(co_await pool.run(doubled, 2) == 4);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a worker that dies in the middle of its answer fails its job") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1, .restarts = patient});
    auto const half_header = [](std::string bytes) {
      send_as_worker(bytes);
      ::_exit(4);
    };
    auto const end = co_await end_of(pool.run(half_header, std::string(7, '\1')));
    REQUIRE(end);
    CHECK(end->exit_code == 4);
    // A header that announces 1000 bytes as the value of the pool's second job, and ten of them.
    auto const half_value = [] {
      std::string frame(32, '\0');
      std::uint32_t const length = 1000;
      std::uint16_t const kind = 3;
      std::uint64_t const job = 2;
      std::memcpy(frame.data(), &length, sizeof length);
      std::memcpy(frame.data() + 4, &kind, sizeof kind);
      std::memcpy(frame.data() + 8, &job, sizeof job);
      send_as_worker(frame + std::string(10, 'x'));
      ::_exit(5);
    };
    auto const second = co_await end_of(pool.run(half_value));
    REQUIRE(second);
    CHECK(second->exit_code == 5);
    CHECK(co_await pool.run(doubled, 2) == 4);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a worker killed while it sends or is sent much fails its job") {
  run_here([]() -> task<> {
    fifo running;
    process_pool pool({.workers = 1, .restarts = patient});
    auto const much = [](std::string path, std::string) {
      test::say(path, ::getpid());
      return std::string(64 << 20, 'r');
    };
    for (int i = 0; i < 3; ++i) {
      int died = 0;
      int answered = 0;
      co_await with_task_group([&](task_group& g) -> task<> {
        for (int n = 0; n < 2; ++n) {  // the second is being sent while the first one runs
          g.spawn([&]() -> task<> {
            auto const end = co_await end_of(pool.run(much, running.path(), std::string(8 << 20, 'a')));
            ++(end ? died : answered);
          });
        }
        ::kill(co_await running.next(), SIGKILL);
        ::kill(co_await running.next(), SIGKILL);
        co_await g.join();
      });
      CHECK(died + answered == 2);
      CHECK(died >= 1);
    }
    CHECK(co_await pool.run(doubled, 2) == 4);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a worker that talks nonsense is killed and replaced") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1, .message_bytes_max = 1 << 20, .restarts = patient});
    co_await pool.start();
    address_space_limit const no_large_allocation(256 << 20);
    for (char const byte : {'\0', '\1', '\xff'}) {  // no such job; and a frame far too long
      auto const nonsense = [](std::string bytes) {
        send_as_worker(bytes);
        for (;;) ::pause();
      };
      auto const end = co_await end_of(pool.run(nonsense, std::string(64, byte)));
      REQUIRE(end);
      CHECK(end->signal == SIGKILL);
    }
    CHECK(co_await pool.run(doubled, 2) == 4);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a worker that closes its socket is killed and replaced") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    auto const end = co_await end_of(pool.run([] {
      ::close(3);
      for (;;) ::pause();
    }));
    REQUIRE(end);
    CHECK(end->signal == SIGKILL);
    CHECK(co_await pool.run(doubled, 2) == 4);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a grandchild that keeps the socket open hides no death") {
  run_here([]() -> task<> {
    fifo forked;
    process_pool pool({.workers = 1});
    auto const end = co_await end_of(pool.run([](std::string path) {
      if (pid_t const child = ::fork(); child != 0) {
        test::say(path, child);
        ::_exit(6);
      }
      for (;;) ::pause();
    }, forked.path()));
    REQUIRE(end);
    CHECK(end->exit_code == 6);
    pid_t const grandchild = co_await forked.next();
    CHECK(co_await pool.run(doubled, 2) == 4);
    co_await test::kill_and_wait(grandchild);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: twenty kills under five hundred jobs lose none and double none") {
  run_here([]() -> task<> {
    fifo counted;
    process_pool pool({.workers = 3, .restarts = patient});
    co_await pool.start();
    std::string const log = counted.path() + ".log";
    constexpr int jobs = 500;
    std::vector<int> answers(jobs, 0);
    int died = 0;
    int done = 0;
    auto const job = [](std::string path, int n) {
      std::ofstream(path, std::ios::app) << n << '\n';
      return n + 1;
    };
    co_await with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < jobs; ++i) {
        g.spawn([&](int n) -> task<> {
          try {
            answers[static_cast<std::size_t>(n)] += co_await pool.run(job, log, n);
          } catch (worker_died const&) {
            ++died;
          }
          ++done;
        }, i);
      }
      for (int kills = 0; kills < 20; ++kills) {
        int const until = done + jobs / 30;
        while (done < until && done < jobs) co_await yield();
        auto const pids = pool.worker_pids();
        if (!pids.empty()) ::kill(pids[static_cast<std::size_t>(kills) % pids.size()], SIGKILL);
      }
      co_await g.join();
    });
    CHECK(done == jobs);
    CHECK(died <= 20);
    int right = 0;
    for (int i = 0; i < jobs; ++i) right += answers[static_cast<std::size_t>(i)] == i + 1 ? 1 : 0;
    CHECK(right + died == jobs);
    std::vector<int> ran(jobs, 0);
    std::ifstream lines(log);
    for (int n; lines >> n;) ++ran[static_cast<std::size_t>(n)];
    CHECK(*std::max_element(ran.begin(), ran.end()) == 1);
    ::unlink(log.c_str());
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: all workers killed at once leave every queued job to their successors") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 3, .restarts = patient});
    co_await pool.start();
    int answered = 0;
    int died = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 300; ++i) {
        g.spawn([&]() -> task<> {
          auto const end = co_await end_of(pool.run(doubled, 1));
          ++(end ? died : answered);
        });
      }
      co_await yield();
      for (pid_t const pid : pool.worker_pids()) ::kill(pid, SIGKILL);
      co_await g.join();
    });
    CHECK(answered + died == 300);
    CHECK(died <= 3);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: workers that die too often break the pool, which says why") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1, .restarts = {.deaths = 2, .delay = std::chrono::milliseconds(1)}});
    int died = 0;
    std::string why;
    for (int i = 0; i < 10 && why.empty(); ++i) {
      try {
        co_await pool.run([] { ::_exit(9); });
      } catch (worker_died const&) {
        ++died;
      } catch (broken_process_pool const& e) {
        why = e.what();
      }
    }
    CHECK(died == 3);
    CHECK(why.find("exited with status 9") != std::string::npos);
    CHECK_THROWS_AS(co_await pool.run(doubled, 1), broken_process_pool);
    CHECK_THROWS_AS(co_await pool.start(), process_pool_closed);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: breaking fails the jobs that wait") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1, .restarts = {.deaths = 0}});
    int broken = 0;
    int died = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 5; ++i) {
        g.spawn([&]() -> task<> {
          try {
            co_await pool.run([] { ::_exit(9); });
          } catch (worker_died const&) {
            ++died;
          } catch (broken_process_pool const&) {
            ++broken;
          }
        });
      }
      co_await g.join();
    });
    CHECK(died == 1);
    CHECK(broken == 4);
  });
}

TEST_CASE("process pool: a stopped worker is killed when its job's time is over, and may go on before") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    co_await pool.start();
    pid_t const worker = pool.worker_pids().at(0);
    int value = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { value = co_await pool.run(stop_and_go_on); });
      while (!is_stopped(worker)) co_await sleep_for(std::chrono::milliseconds(1));
      ::kill(worker, SIGCONT);
      co_await g.join();
    });
    CHECK(value == 7);
    CHECK(pool.stats().restarts == 0);
    bool timed = false;
    try {
      co_await with_timeout(std::chrono::milliseconds(20), pool.run(stop_and_go_on));
    } catch (timed_out const&) {
      timed = true;
    }
    CHECK(timed);
    CHECK(co_await pool.run(doubled, 2) == 4);
    CHECK(pool.stats().restarts == 1);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a program that ignores SIGCHLD has its jobs done, and its dead replaced") {
  auto* const before = std::signal(SIGCHLD, SIG_IGN);
  run_here([]() -> task<> {
    process_pool pool({.workers = 1, .restarts = patient});
    CHECK(co_await pool.run(doubled, 2) == 4);
    co_await test::kill_and_wait(pool.worker_pids().at(0));
    CHECK(co_await pool.run(doubled, 3) == 6);
    pid_t const zygote = pool.zygote_pid();
    co_await test::kill_and_wait(zygote);
    co_await test::kill_and_wait(pool.worker_pids().at(0));
    CHECK(co_await pool.run(doubled, 4) == 8);
    CHECK(pool.zygote_pid() != zygote);
    co_await pool.shutdown();
  });
  std::signal(SIGCHLD, before);
}

TEST_CASE("process pool: workers outlive their zygote, and a new one forks their successors") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 2});
    co_await pool.start();
    pid_t const zygote = pool.zygote_pid();
    auto const pids = pool.worker_pids();
    co_await test::kill_and_wait(zygote);
    CHECK(pool.worker_pids() == pids);
    CHECK(co_await pool.run(doubled, 2) == 4);
    for (pid_t const pid : pids) co_await test::kill_and_wait(pid);
    CHECK(co_await pool.run(doubled, 3) == 6);
    CHECK(pool.zygote_pid() != zygote);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool helper: works until it is killed", "[.helper]") {
  char const* const path = std::getenv("PLAIT_TEST_FIFO");
  SUCCEED("does nothing unless another test starts it");
  if (path == nullptr) return;
  run_here([&]() -> task<> {
    process_pool pool({.workers = 2});
    co_await pool.start();
    test::say(path, pool.zygote_pid());
    co_await with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 2; ++i) {
        g.spawn([&]() -> task<> {
          co_await pool.run([](std::string p) {
            test::say(p, ::getpid());
            for (;;) {  // never looks at its socket
            }
          }, std::string(path));
        });
      }
      co_await g.join();
    });
  });
}

TEST_CASE("process pool: SIGKILL to the program leaves none of its processes") {
  bool const zygote_first = GENERATE(false, true);
  run_here([&]() -> task<> {
    fifo pids;
    ::setenv("PLAIT_TEST_FIFO", pids.path().c_str(), 1);
    char name[] = "tests";
    char test[] = "process pool helper: works until it is killed";
    char* const arguments[] = {name, test, nullptr};
    pid_t program = 0;
    REQUIRE(::posix_spawn(&program, "/proc/self/exe", nullptr, nullptr, arguments, environ) == 0);
    ::unsetenv("PLAIT_TEST_FIFO");
    test::watched zygote(co_await pids.next());
    test::watched first(co_await pids.next());
    test::watched second(co_await pids.next());
    if (zygote_first) {
      ::kill(zygote.pid(), SIGKILL);
      co_await zygote.ended();
    }
    ::kill(program, SIGKILL);
    co_await zygote.ended();
    co_await first.ended();
    co_await second.ended();
    int status = 0;
    CHECK(::waitpid(program, &status, 0) == program);
    CHECK(WTERMSIG(status) == SIGKILL);
  });
}
