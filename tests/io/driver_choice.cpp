#include <plait/driver.hpp>

#include "support/death.hpp"
#include "support/io_deny.hpp"
#include "support/io_peer.hpp"
#include "support/io_test.hpp"
#include "support/skip.hpp"

#include <plait/io/file.hpp>
#include <plait/io/serve.hpp>
#include <plait/io/tcp.hpp>
#include <plait/io/wait.hpp>
#include <plait/task_group.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include <sys/wait.h>
#include <unistd.h>

using plait::choose_driver;
using plait::driver_kind;
using plait::driver_options;
using plait::make_driver;
using plait::task;
using plait::test::child_end;
using plait::test::in_child;

namespace {

// Sets a variable, PLAIT_DRIVER for one, or unsets it for nullptr, and puts it back.
class environment {
 public:
  explicit environment(char const* value, char const* name = "PLAIT_DRIVER") : name_(name) {
    if (char const* const before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~environment() { set(before_ ? before_->c_str() : nullptr); }
  environment(environment const&) = delete;
  environment& operator=(environment const&) = delete;

 private:
  void set(char const* value) {
    if (value != nullptr) {
      ::setenv(name_, value, 1);
    } else {
      ::unsetenv(name_);
    }
  }
  char const* name_;
  std::optional<std::string> before_;
};

bool kernel_has_uring() {
  environment const none(nullptr);
  return choose_driver().kind == driver_kind::io_uring;
}

task<> echo(plait::io::tcp_stream peer) {
  char into[64];
  for (;;) {
    std::size_t const n = co_await peer.read_some(into);
    if (n == 0) break;
    co_await peer.write_all(plait::io::const_buffer(into, n));
  }
}

// A service with clients over loopback, and a file: what a program does that knows no driver.
task<int> small_program() {
  auto listener = plait::io::tcp_listener::listen(plait::io::address::loopback(0));
  plait::io::address const at = listener.local_address();
  int answered = 0;
  co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
    g.spawn([&]() -> task<> { co_await plait::io::serve(listener, echo); });
    co_await plait::with_task_group([&](plait::task_group& clients) -> task<> {
      for (int i = 0; i < 20; ++i) {
        clients.spawn([&](int which) -> task<> {
          auto stream = co_await plait::io::tcp_stream::connect(at);
          std::string const sent = "message " + std::to_string(which);
          co_await stream.write_all(sent);
          std::string got(sent.size(), '\0');
          co_await stream.read_exactly(got);
          answered += got == sent ? 1 : 0;
        }, i);
      }
      co_await clients.join();
    });
    g.cancel();
  });
  plait::io::file f = co_await plait::io::file::open("/proc/self/stat");
  char first[1];
  answered += static_cast<int>(co_await f.read_at(0, first));
  co_await f.close();
  co_return answered;
}

std::string refused_with(int error) {
  child_end const end = in_child([error] {
    plait::test::hang_guard const guard("small_program in a child", 30);
    if (!plait::test::deny_system_call(SYS_io_uring_setup, error)) ::_exit(77);
    plait::driver_report const report = choose_driver();
    std::fprintf(stderr, "%s: %s\n", report.kind == driver_kind::epoll ? "epoll" : "other",
                 report.reason.c_str());
    if (plait::run(small_program) != 21) ::_exit(5);
    try {
      make_driver({.kind = driver_kind::io_uring});
      ::_exit(6);
    } catch (std::system_error const& e) {
      std::fprintf(stderr, "by name: %s\n", e.what());
    }
  });
  if (end.exited_with(77)) return "no seccomp";
  return end.exited_with(0) ? end.output : "status " + std::to_string(end.exit_code) + end.output;
}

bool says(std::string const& text, char const* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("driver choice: a service runs on whatever was chosen") {
  plait::test::hang_guard const guard("a service runs on whatever was chosen");
  CHECK(plait::run(small_program) == 21);
}

TEST_CASE("driver choice: a kind that the program asks for comes before the environment") {
  environment const other("io_uring");
  plait::driver_report const report = choose_driver({.kind = driver_kind::epoll});
  CHECK(report.kind == driver_kind::epoll);
  CHECK(report.reason == "asked for by the program");
  CHECK(make_driver({.kind = driver_kind::epoll})->name() == "epoll");
}

TEST_CASE("driver choice: PLAIT_DRIVER names the driver, and empty is as if it were not set") {
  {
    environment const epoll("epoll");
    CHECK(choose_driver().kind == driver_kind::epoll);
    CHECK(choose_driver().reason == "asked for by PLAIT_DRIVER");
  }
  environment const empty("");
  plait::driver_report const report = choose_driver();
  CHECK_FALSE(report.kind == driver_kind::automatic);
  CHECK_FALSE(report.reason.empty());
}

TEST_CASE("driver choice: where the kernel has io_uring it is chosen") {
  if (!kernel_has_uring()) return plait::test::skip("the kernel refuses io_uring");
  environment const none(nullptr);
  CHECK(choose_driver().reason == "the kernel offers it");
  CHECK(make_driver()->name() == "io_uring");
  environment const named("io_uring");
  CHECK(choose_driver().reason == "asked for by PLAIT_DRIVER");
}

TEST_CASE("driver choice: a PLAIT_DRIVER that is neither says what to set") {
  for (char const* const value : {"nonsense", "EPOLL", "epoll ", "io-uring", "Sim"}) {
    environment const wrong(value);
    std::string text;
    try {
      make_driver();
    } catch (std::invalid_argument const& e) {
      text = e.what();
    }
    CHECK(text == "PLAIT_DRIVER=" + std::string(value) +
                      ": set it to io_uring, epoll or sim, or unset it to let plait choose");
  }
}

TEST_CASE("driver choice: sim runs a program in a world of its own, with the seed of PLAIT_SEED") {
  auto const program = []() -> task<std::uint64_t> {
    auto listener = plait::io::tcp_listener::listen(plait::io::address::loopback(7000));
    auto const stream = co_await plait::io::tcp_stream::connect(listener.local_address());
    auto const begin = plait::clock::now();
    co_await plait::sleep_for(std::chrono::hours(1));
    auto const took = plait::clock::now() - begin;
    co_return static_cast<std::uint64_t>(took.count()) + plait::scheduler::current().io().random();
  };
  environment const sim("sim");
  CHECK(make_driver()->name() == "sim");
  CHECK(choose_driver().reason == "asked for by PLAIT_DRIVER");
  environment const seed("12", "PLAIT_SEED");
  std::uint64_t const once = plait::run(program);
  CHECK(once == plait::run(program));
  environment const other("13", "PLAIT_SEED");
  CHECK(once != plait::run(program));
  for (char const* const wrong : {"x", "1x", "-1", "99999999999999999999"}) {
    environment const bad(wrong, "PLAIT_SEED");
    CHECK_THROWS_WITH(make_driver(),
                      "PLAIT_SEED=" + std::string(wrong) + ": set it to a number from 0 to 2^64 - 1");
  }
}

TEST_CASE("driver choice: a program under sim in which nothing can happen any more is stopped") {
  auto const end = in_child([] {
    plait::run([]() -> task<> { co_await plait::sleep_forever(); }, {.kind = driver_kind::sim});
  });
  CHECK(end.aborted());
  CHECK(end.says("nothing can happen any more"));
}

TEST_CASE("driver choice: where io_uring is refused a program runs on epoll, and the report says why") {
  environment const none(nullptr);
  struct {
    int error;
    char const* name;
    char const* hint;
  } const cases[] = {{EPERM, "Operation not permitted", "seccomp"},
                     {EACCES, "Permission denied", "seccomp"},
                     {ENOSYS, "Function not implemented", "the kernel has no io_uring"},
                     {ENOMEM, "Cannot allocate memory", "ulimit -l"},
                     {EMFILE, "Too many open files", "ulimit -n"},
                     {ENFILE, "Too many open files in system", "ulimit -n"},
                     {EINVAL, "Invalid argument", "io_uring_setup"}};
  for (auto const& c : cases) {
    std::string const got = refused_with(c.error);
    if (got == "no seccomp") return plait::test::skip("the kernel has no seccomp filters");
    INFO(got);
    CHECK(says(got, "epoll: io_uring is refused: io_uring_setup: "));
    CHECK(says(got, c.name));
    CHECK(says(got, c.hint));
    CHECK(says(got, "by name: the io_uring driver was asked for by the program and is refused"));
    CHECK(says(got, "PLAIT_DRIVER=epoll works without it"));
  }
}

TEST_CASE("driver choice: with too few descriptors a driver is an error that says how to get more") {
  environment const none(nullptr);
  for (driver_kind const kind : {driver_kind::automatic, driver_kind::epoll, driver_kind::io_uring}) {
    if (kind == driver_kind::io_uring && !kernel_has_uring()) continue;
    CHECK(make_driver({.kind = kind})->in_flight() == 0);
    for (int const left : {0, 1}) {
      std::string text;
      std::error_code code;
      int const before = plait::test::open_descriptors();
      {
        plait::test::descriptor_famine const famine(left);
        try {
          make_driver({.kind = kind});
        } catch (std::system_error const& e) {
          code = e.code();
          text = e.what();
        }
      }
      INFO("kind " << static_cast<int>(kind) << ", " << left << " left: " << text);
      CHECK(code == std::errc::too_many_files_open);
      CHECK(says(text, "ulimit -n"));
      CHECK(plait::test::open_descriptors() == before);
    }
  }
  CHECK(make_driver() != nullptr);
}

TEST_CASE("driver: an epoll that takes no more descriptors fails the operation, and frees its slot") {
  child_end const end = in_child([] {
    plait::test::hang_guard const guard("an epoll that takes no more descriptors", 30);
    plait::scheduler s(make_driver({.kind = driver_kind::epoll}));
    if (!plait::test::deny_system_call(SYS_epoll_ctl, ENOSPC)) ::_exit(77);
    int const right = plait::run_on(s, []() -> task<int> {
      plait::test::connection c = plait::test::connected();
      char into[4];
      int enospc = 0;
      for (int i = 0; i < 3; ++i) {
        auto const read = co_await as_result(c.stream.read_some(into));
        if (!read && read.error().code == std::errc::no_space_on_device) ++enospc;
        try {
          co_await plait::io::wait_readable(c.stream.fd());
        } catch (std::system_error const& e) {
          if (e.code() == std::errc::no_space_on_device) ++enospc;
        }
      }
      co_await c.stream.close();
      co_return enospc;
    }());
    if (right != 6) ::_exit(5);
  });
  if (end.exited_with(77)) return plait::test::skip("the kernel has no seccomp filters");
  INFO(end.output);
  CHECK(end.exited_with(0));
}

IO_TEST("driver: a process that is forked while the loop runs leaves the parent's driver alone") {
  io.run([&]() -> task<> {
    plait::test::connection c = plait::test::connected();
    co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
      auto const reading = g.spawn([&]() -> task<std::size_t> {
        char into[8];
        co_return co_await c.stream.read_some(into);
      });
      co_await plait::test::turns(2);
      for (int round = 0; round < 3; ++round) {
        pid_t const child = ::fork();
        if (child == 0) ::_exit(static_cast<int>(c.stream.is_open()));  // closes its copies
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(WEXITSTATUS(status) == 1);
        co_await plait::test::turns(1);
        CHECK_FALSE(reading.done());
      }
      c.other.send("abc");
      CHECK(co_await reading == 3);
    });
  });
}

IO_TEST("driver: a forked process that runs a driver of its own does not meet the parent's") {
  plait::scheduler outer(make_driver(io.options));
  plait::test::connection c = plait::test::connected();
  std::size_t got = 0;
  auto const read = [&]() -> task<> {
    char into[8];
    got = co_await c.stream.read_some(into);
  };
  {
    plait::scheduler_binding const bound(outer);
    outer.background().spawn(read);
  }
  outer.run_until_idle();
  child_end const end = in_child([&io] {
    plait::test::hang_guard const guard("a program in a forked child", 30);
    if (io.run(small_program) != 21) ::_exit(5);
  });
  CHECK(end.exited_with(0));
  CHECK(end.output == "");
  CHECK(got == 0);
  c.other.send("abc");
  plait::run_on(outer, [](std::size_t const& n) -> task<> {
    while (n == 0) co_await plait::test::turns(1);
  }(got));
  CHECK(got == 3);
  plait::scheduler_binding const bound(outer);
  plait::io::tcp_stream(std::move(c.stream));
}
