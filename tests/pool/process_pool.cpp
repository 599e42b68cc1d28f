// Process pools where every worker lives; see process_pool_death.cpp and process_pool_cancel.cpp.
#include <plait/process_pool.hpp>

#include "fifo.hpp"

#include <plait/pool/errors.hpp>
#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/thread_pool.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <system_error>
#include <unistd.h>
#include <vector>

using namespace plait;
using test::fifo;

namespace {

int doubled(int n) { return 2 * n; }
static std::string greeted(std::string const& name) { return "hello " + name; }
double sum(std::span<double const> numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0.0); }
pid_t own_pid() { return ::getpid(); }

struct scale {
  int factor;
  std::vector<int> operator()(std::vector<int> numbers) const {
    for (int& n : numbers) n *= factor;
    return numbers;
  }
};

struct odd_failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct strange : std::exception {
  char const* what() const noexcept override { return "strange indeed"; }
};

// Refuses to be read, once.
struct unreadable {
  int value = 0;
  friend void plait_codec(encoder& to, unreadable& u) { to(u.value); }
  friend void plait_codec(decoder& from, unreadable& u) {
    from(u.value);
    throw codec_error("not this one");
  }
};

template <class Fn>
auto run_here(Fn fn) {
  return plait::run(std::ref(fn));
}

// What a job's await threw.
template <class E, class Op>
task<std::string> what_of(Op op) {
  std::string said = "nothing was thrown";
  try {
    co_await std::move(op);
  } catch (E const& e) {
    said = e.what();
  }
  co_return said;
}

// Before main begins, and so before plait::run could have.
std::string error_before_main() {
  if (std::getenv("PLAIT_ROLE") != nullptr) return "";
  testing::manual_driver driver;
  scheduler s(driver);
  std::string said;
  run_on(s, [](std::string& to) -> task<> {
    try {
      process_pool const pool;
    } catch (std::logic_error const& e) {
      to = e.what();
    }
    co_return;
  }(said));
  return said;
}
std::string const said_before_main = error_before_main();

}  // namespace

TEST_CASE("process pool: a job's value comes back to the task that awaits it") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 2});
    CHECK(co_await pool.run(doubled, 21) == 42);
    CHECK(co_await pool.run(greeted, "you") == "hello you");
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: functions, lambdas without captures and function objects can be jobs") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    CHECK(co_await pool.run([](int a, int b) { return a - b; }, 5, 3) == 2);
    CHECK(co_await pool.run([](int a, int b) { return a + b; }, 5, 3) == 8);
    std::vector<int> const numbers{1, 2};
    std::vector<int> const scaled{3, 6};
    CHECK(co_await pool.run(scale{3}, numbers) == scaled);
    CHECK(co_await pool.run(&doubled, 4) == 8);
    auto const generic = [](auto x) { return x + x; };
    CHECK(co_await pool.run(generic, std::string("ab")) == "abab");
    CHECK(co_await pool.run(generic, 2.5) == 5.0);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: views are sent as what they show") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    std::vector<double> const numbers{1.5, 2.5};
    CHECK(co_await pool.run(sum, numbers) == 4.0);
    CHECK(co_await pool.run([](std::string_view s) { return s.size(); }, "four") == 4);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a job may give nothing, and what can only be moved") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    co_await pool.run([] {});
    auto const back = co_await pool.run([](std::unique_ptr<int> p) {
      ++*p;
      return p;
    }, std::make_unique<int>(6));
    CHECK(*back == 7);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: jobs run in processes of their own, forked by the zygote") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    co_await pool.start();
    CHECK(pool.stats().workers == 1);
    pid_t const worker = co_await pool.run(own_pid);
    CHECK(worker != ::getpid());
    CHECK(pool.worker_pids() == std::vector<pid_t>{worker});
    CHECK(co_await pool.run([] { return ::getppid(); }) == pool.zygote_pid());
    co_await pool.shutdown();
    CHECK(::kill(worker, 0) == -1);
  });
}

TEST_CASE("process pool: all workers work at the same time") {
  run_here([]() -> task<> {
    fifo arrivals;
    fifo departures;
    process_pool pool({.workers = 3});
    int finished = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 3; ++i) {
        g.spawn([&]() -> task<> {
          co_await pool.run([](std::string in, std::string out) {
            test::say(in, ::getpid());
            test::hear(out);
          }, arrivals.path(), departures.path());
          ++finished;
        });
      }
      std::set<pid_t> pids;
      for (int i = 0; i < 3; ++i) pids.insert(co_await arrivals.next());
      CHECK(pids.size() == 3);
      for (int i = 0; i < 3; ++i) departures.send();
      co_await g.join();
    });
    CHECK(finished == 3);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a thousand jobs give a thousand values") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 2});
    long total = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 1000; ++i) {
        g.spawn([&](int n) -> task<> { total += co_await pool.run(doubled, n); }, i);
      }
      co_await g.join();
    });
    CHECK(total == 999 * 1000);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a waiting job changes over to a worker that has nothing to do") {
  run_here([]() -> task<> {
    fifo running;
    fifo first_goes_on;
    fifo second_goes_on;
    process_pool pool({.workers = 2});
    co_await pool.start();
    auto const blocks = [](std::string said, std::string awaited) {
      test::say(said, ::getpid());
      test::hear(awaited);
    };
    int behind = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await pool.run(blocks, running.path(), first_goes_on.path()); });
      co_await running.next();
      g.spawn([&]() -> task<> { co_await pool.run(blocks, running.path(), second_goes_on.path()); });
      co_await running.next();
      co_await with_task_group([&](task_group& waiting) -> task<> {
        for (int i = 0; i < 2; ++i) {  // one behind each
          waiting.spawn([&]() -> task<> { behind += co_await pool.run(doubled, 1); });
        }
        co_await yield();
        second_goes_on.send();
        co_await waiting.join();  // both, although the first worker is still at its first job
      });
      CHECK(behind == 4);
      first_goes_on.send();
      co_await g.join();
    });
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: standard exceptions come back as they were thrown") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    CHECK(co_await what_of<std::domain_error>(pool.run([] { throw std::domain_error("d"); })) == "d");
    CHECK(co_await what_of<std::out_of_range>(pool.run([] { throw std::out_of_range("o"); })) == "o");
    CHECK_FALSE((co_await what_of<std::bad_alloc>(pool.run([] { throw std::bad_alloc(); }))).empty());
    std::error_code code;
    std::string what;
    try {
      co_await pool.run([] { throw std::system_error(ENOENT, std::generic_category(), "opening x"); });
    } catch (std::system_error const& e) {
      code = e.code();
      what = e.what();
    }
    CHECK(code == std::errc::no_such_file_or_directory);
    CHECK(what == "opening x: No such file or directory");
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: other exceptions come back by their nearest standard base, with their name") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    std::string type;
    std::string what;
    try {
      co_await pool.run([] { throw odd_failure("odd"); });
    } catch (std::runtime_error const& e) {
      what = e.what();
      if (auto const* const remote = dynamic_cast<remote_failure const*>(&e)) type = remote->type_name();
    }
    CHECK(what == "odd");
    CHECK(type.find("odd_failure") != std::string::npos);
    CHECK(co_await what_of<remote_error>(pool.run([] { throw strange(); })) == "strange indeed");
    try {
      co_await pool.run([] { throw 42; });
    } catch (remote_error const& e) {
      type = e.type_name();
      what = e.what();
    }
    CHECK(type == "int");
    CHECK(what == "an exception of type int");
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: what cannot be decoded fails its own job only, and the worker lives") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    pid_t const before = co_await pool.run(own_pid);
    for (int i = 0; i < 20; ++i) {
      CHECK(co_await what_of<codec_error>(pool.run([](unreadable) {}, unreadable{1})) == "not this one");
      CHECK(co_await what_of<codec_error>(pool.run([] { return unreadable{1}; })) == "not this one");
    }
    CHECK(co_await pool.run(own_pid) == before);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: sixteen MiB go there and come back") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 2});
    std::vector<std::uint32_t> numbers(4 << 20);
    std::iota(numbers.begin(), numbers.end(), 7u);
    auto const reversed = [](std::vector<std::uint32_t> v) {
      std::reverse(v.begin(), v.end());
      return v;
    };
    int right = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 4; ++i) {  // both ways at once, and two behind each other
        g.spawn([&]() -> task<> {
          auto back = co_await pool.run(reversed, numbers);
          std::reverse(back.begin(), back.end());
          right += back == numbers ? 1 : 0;
        });
      }
      co_await g.join();
    });
    CHECK(right == 4);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: too large an argument or value is refused, and only that") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1, .message_bytes_max = 1000});
    CHECK_THROWS_AS(pool.run([](std::string s) { return s.size(); }, std::string(1001, 'x')),
                    message_too_large);
    std::string const what =
        co_await what_of<message_too_large>(pool.run([](int n) { return std::string(n, 'x'); }, 100'000));
    CHECK(what.find("message_bytes_max") != std::string::npos);
    CHECK((co_await pool.run([](int n) { return std::string(n, 'x'); }, 900)).size() == 900);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a worker holds no descriptors but its own") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 3});
    co_await pool.start();
    auto const highest = [] {
      int found = 0;
      for (auto const& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        found = std::max(found, std::stoi(entry.path().filename().string()));
      }
      return found;
    };
    // Standard ones, the socket, the lifeline; and the folder that is being read.
    CHECK(co_await pool.run(highest) <= 5);
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: workers leave SIGINT to the program, block nothing and read no input") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    auto const interrupted = [] { return ::raise(SIGINT) == 0; };
    CHECK(co_await pool.run(interrupted));
    auto const blocked = [] {
      sigset_t mask;
      ::sigprocmask(SIG_SETMASK, nullptr, &mask);
      return ::sigismember(&mask, SIGTERM) + ::sigismember(&mask, SIGCHLD);
    };
    CHECK(co_await pool.run(blocked) == 0);
    CHECK(co_await pool.run([] { return std::getchar() == EOF; }));
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: a job's processes do not take themselves for a pool's") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 1});
    CHECK(co_await pool.run([] { return std::getenv("PLAIT_ROLE") == nullptr; }));
    co_await pool.shutdown();
  });
}

TEST_CASE("process pool: shutdown lets the jobs end and takes no more") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 2});
    long total = 0;
    std::string refused;
    co_await with_task_group([&](task_group& g) -> task<> {
      for (int i = 0; i < 50; ++i) {
        g.spawn([&](int n) -> task<> { total += co_await pool.run(doubled, n); }, i);
      }
      co_await yield();
      co_await pool.shutdown();
      refused = co_await what_of<process_pool_closed>(pool.run(doubled, 1));
      co_await g.join();
    });
    CHECK(total == 49 * 50);
    CHECK_FALSE(refused.empty());
    co_await pool.shutdown();  // again
    CHECK(pool.stats().workers == 0);
    CHECK(pool.zygote_pid() == 0);
    CHECK_FALSE((co_await what_of<process_pool_closed>(pool.start())).empty());
  });
}

TEST_CASE("process pool: one that was never used starts nothing and may be shut down") {
  run_here([]() -> task<> {
    process_pool unused({.workers = 2});
    process_pool closed({.workers = 2});
    co_await closed.shutdown();
    CHECK(unused.zygote_pid() == 0);
  });
}

TEST_CASE("process pool: destroying one ends its workers and fails the jobs that wait") {
  run_here([]() -> task<> {
    fifo running;
    int failed = 0;
    co_await with_task_group([&](task_group& g) -> task<> {
      {
        process_pool pool({.workers = 1});
        auto const job = [&]() -> task<> {
          try {
            co_await pool.run([](std::string path) {
              test::say(path, ::getpid());
              for (;;) ::pause();
            }, running.path());
          } catch (process_pool_closed const&) {
            ++failed;
          }
        };
        for (int i = 0; i < 4; ++i) g.spawn(job);
        co_await running.next();
      }
      co_await g.join();
    });
    CHECK(failed == 4);
  });
}

TEST_CASE("process pool: one after the other leaves nothing behind") {
  run_here([]() -> task<> {
    for (int i = 0; i < 10; ++i) {
      process_pool pool({.workers = 1});
      CHECK(co_await pool.run(doubled, i) == 2 * i);
      if (i % 2 == 0) co_await pool.shutdown();
    }
  });
}

TEST_CASE("process pool: without plait::run(argc, argv, ...) it says which line is missing") {
  CHECK(said_before_main.find("return plait::run(argc, argv, ") != std::string::npos);
}

TEST_CASE("process pool: without a scheduler, or with options that cannot be, it says so") {
  CHECK_THROWS_AS(process_pool(), std::logic_error);
  run_here([]() -> task<> {
    CHECK_THROWS_AS(process_pool({.window = 0}), std::invalid_argument);
    CHECK_THROWS_AS(process_pool({.window = 1000}), std::invalid_argument);
    co_return;
  });
}

TEST_CASE("job functions: a key finds its function again, and nothing else") {
  using job = detail::remote_job<int (*)(int), int>;
  detail::function_key const key = job::registered.key();
  CHECK(detail::job_function::find(key).call() == &job::call);
  CHECK_THROWS_AS(detail::job_function::find({key.module, key.offset + 1}), unknown_function);
  CHECK_THROWS_AS(detail::job_function::find({key.module + 1, key.offset}), unknown_function);
  auto const of_function = detail::key_of_code(reinterpret_cast<void const*>(&doubled));
  CHECK(detail::code_at(of_function) == reinterpret_cast<void*>(&doubled));
  CHECK_THROWS_AS(detail::code_at({of_function.module, std::uint64_t{1} << 60}), unknown_function);
}
