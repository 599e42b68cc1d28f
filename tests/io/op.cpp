// The life of an operation between a driver's answers, cancellation and close, against a model.
#include <plait/io/op.hpp>

#include "support/death.hpp"
#include "support/fake_io_driver.hpp"

#include <plait/cancel.hpp>
#include <plait/io/lowerings.hpp>
#include <plait/io/tcp.hpp>
#include <plait/io/udp.hpp>
#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/system_calls.hpp>
#include <plait/task_group.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <liburing.h>

using plait::cancel_scope;
using plait::task;
using plait::test::fake_io_driver;

namespace {

constexpr int length = 10;

enum class event { part, rest, none, again, interrupted, reset, canceled };
constexpr event events[] = {event::part,        event::rest,  event::none,    event::again,
                            event::interrupted, event::reset, event::canceled};

int answer_of(event e, int done) {
  switch (e) {
    case event::part: return std::min(3, length - done);
    case event::rest: return length - done;
    case event::none: return 0;
    case event::again: return -EAGAIN;
    case event::interrupted: return -EINTR;
    case event::reset: return -ECONNRESET;
    case event::canceled: return -ECANCELED;
  }
  return 0;
}

struct scenario {
  bool all;
  bool writes;
  std::vector<event> answers;
  int cancel_before = -1;  // which answer; -1: never
  int close_before = -1;
};

std::string describe(scenario const& s) {
  std::string text = s.all ? "all:" : "some:";
  for (event const e : s.answers) text += " " + std::to_string(answer_of(e, 0));
  return text + ", cancelled before " + std::to_string(s.cancel_before) + ", closed before " +
         std::to_string(s.close_before);
}

std::string failure_text(std::error_code code, int done) {
  return "error " + code.message() + " after " + std::to_string(done);
}

// What the contract says; empty while it goes on.
std::string expected_outcome(scenario const& s) {
  int done = 0;
  for (std::size_t i = 0; i < s.answers.size(); ++i) {
    bool const closed = s.close_before >= 0 && static_cast<int>(i) >= s.close_before;
    bool const cancelled = s.cancel_before >= 0 && static_cast<int>(i) >= s.cancel_before;
    std::string const cut_short = closed      ? "closed"
                                  : cancelled ? "cancelled"
                                              : "";
    int const answer = answer_of(s.answers[i], done);
    if (s.all && answer > 0) done += answer;
    auto const end = [&]() -> std::string {
      if (cut_short == "closed") return failure_text(make_error_code(plait::io::errc::closed), done);
      return cut_short;
    };
    if (answer == -EAGAIN || answer == -EINTR) {
      if (!cut_short.empty()) return end();
      continue;
    }
    if (answer == -ECANCELED && !cut_short.empty()) return end();
    if (answer < 0) return failure_text({-answer, std::generic_category()}, done);
    if (!s.all) return "value " + std::to_string(answer);
    if (answer == 0) return failure_text(make_error_code(plait::io::errc::end_of_file), done);
    if (done == length) return "value " + std::to_string(length);
    if (!cut_short.empty()) return end();
  }
  return "";
}

plait::io::count_op make_op(plait::io::tcp_stream& stream, scenario const& s, std::byte* buffer) {
  if (s.writes) {
    plait::io::const_buffer const from(buffer, length);
    return s.all ? stream.write_all(from) : stream.write_some(from);
  }
  plait::io::mutable_buffer const into(buffer, length);
  return s.all ? stream.read_exactly(into) : stream.read_some(into);
}

struct run_of_op {
  fake_io_driver driver;
  plait::scheduler sched{driver};
  std::string outcome;
  cancel_scope* scope = nullptr;
  std::string wrong;

  task<> use(scenario const& s, plait::io::tcp_stream& stream) {
    std::byte buffer[length] = {};
    bool const ended = co_await plait::with_cancel_scope([&, this](cancel_scope& own) -> task<> {
      scope = &own;
      auto const got = co_await as_result(make_op(stream, s, buffer));
      scope = nullptr;
      outcome = got ? "value " + std::to_string(*got)
                    : failure_text(got.error().code, static_cast<int>(got.error().transferred));
    });
    if (!ended) outcome = "cancelled";
  }

  void answer_next(scenario const& s, std::size_t i, int& done) {
    if (driver.held.size() != 1) {
      wrong = "not submitted again";
      return;
    }
    plait::io::op const& o = *driver.held[0];
    if (s.all && static_cast<int>(o.done) != done) wrong = "not the rest was submitted";
    int const answer = answer_of(s.answers[i], done);
    if (answer > 0) done += answer;
    plait::scheduler_binding const bound(sched);
    driver.answer(0, answer);
  }

  // With every answer given by the test, between two turns.
  std::string held(scenario const& s) {
    plait::io::tcp_stream stream = open_stream();
    auto task_handle = start([&] { return use(s, stream); });
    sched.run_until_idle();
    std::optional<plait::join_handle<void>> closing;
    int done = 0;
    for (std::size_t i = 0; i < s.answers.size() && wrong.empty(); ++i) {
      if (static_cast<int>(i) == s.cancel_before && scope != nullptr) {
        plait::scheduler_binding const bound(sched);
        scope->cancel();
      }
      if (static_cast<int>(i) == s.close_before) {
        closing.emplace(start([&]() -> task<> { co_await stream.close(); }));
        sched.run_until_idle();
      }
      answer_next(s, i, done);
      sched.run_until_idle();
    }
    if (!task_handle.done()) wrong = "does not end";
    finish(stream);
    return wrong.empty() ? outcome : wrong;
  }

  // With every answer there at once.
  std::string inline_answers(scenario const& s) {
    plait::io::tcp_stream stream = open_stream();
    int done = 0;
    for (event const e : s.answers) {
      int const answer = answer_of(e, done);
      if (answer > 0) done += answer;
      driver.at_once.push_back(answer);
    }
    auto task_handle = start([&] { return use(s, stream); });
    sched.run_until_idle();
    if (!task_handle.done()) wrong = "does not end";
    finish(stream);
    return wrong.empty() ? outcome : wrong;
  }

 private:
  static plait::io::tcp_stream open_stream() {
    return plait::io::tcp_stream(plait::io::descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC)));
  }

  template <class Fn>
  plait::join_handle<void> start(Fn fn) {
    plait::scheduler_binding const bound(sched);
    return sched.background().spawn(fn);
  }

  void finish(plait::io::tcp_stream& stream) {
    plait::scheduler_binding const bound(sched);
    while (!driver.held.empty()) driver.answer(0, -ECONNRESET);
    sched.close_background();
    plait::io::tcp_stream(std::move(stream));
  }
};

std::vector<std::vector<event>> sequences(std::size_t longest) {
  std::vector<std::vector<event>> found{{}};
  for (std::size_t from = 0, depth = 0; depth < longest; ++depth) {
    std::size_t const to = found.size();
    for (; from < to; ++from) {
      for (event const e : events) {
        found.push_back(found[from]);
        found.back().push_back(e);
      }
    }
  }
  return found;
}

}  // namespace

TEST_CASE("op: every order of answers, cancellation and close ends as the contract says") {
  int runs = 0;
  std::string mismatches;
  for (std::vector<event> const& answers : sequences(4)) {
    int const count = static_cast<int>(answers.size());
    for (int variant = 0; variant < 4; ++variant) {
      for (int cancel = -1; cancel < count; ++cancel) {
        for (int close = -1; close < count; ++close) {
          if (answers.empty()) continue;
          scenario const s{variant % 2 == 1, variant / 2 == 1, answers, cancel, close};
          scenario shorter = s;
          shorter.answers.pop_back();
          if (!expected_outcome(shorter).empty()) continue;
          std::string const expected = expected_outcome(s);
          if (expected.empty()) continue;
          ++runs;
          std::string const got = run_of_op().held(s);
          if (got == expected) continue;
          mismatches += describe(s) + ": " + got + ", expected " + expected + "\n";
        }
      }
    }
  }
  CHECK(mismatches == "");
  CHECK(runs > 2'000);
}

TEST_CASE("op: answers that are there at once end as those that come later") {
  int runs = 0;
  std::string mismatches;
  for (std::vector<event> const& answers : sequences(5)) {
    for (int variant = 0; variant < 4; ++variant) {
      scenario const s{variant % 2 == 1, variant / 2 == 1, answers};
      std::string const expected = expected_outcome(s);
      if (expected.empty()) continue;
      scenario shorter = s;
      shorter.answers.pop_back();
      if (!expected_outcome(shorter).empty()) continue;
      ++runs;
      std::string const got = run_of_op().inline_answers(s);
      if (got != expected) mismatches += describe(s) + ": " + got + ", expected " + expected + "\n";
    }
  }
  CHECK(mismatches == "");
  CHECK(runs > 1'000);
}

TEST_CASE("op: two streams' answers come in any order") {
  for (std::size_t const first : {std::size_t{0}, std::size_t{1}}) {
    fake_io_driver driver;
    plait::scheduler sched(driver);
    std::string order;
    int const null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    int const null_too = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    auto const body = [&]() -> task<> {
      plait::io::tcp_stream a((plait::io::descriptor(null)));
      plait::io::tcp_stream b((plait::io::descriptor(null_too)));
      co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
        auto const read = [&order](plait::io::tcp_stream& s, char name) -> task<> {
          char into[4];
          order += name + std::to_string(co_await s.read_some(into));
        };
        g.spawn(read, std::ref(a), 'a');
        g.spawn(read, std::ref(b), 'b');
        while (driver.held.size() < 2) co_await plait::yield();
        driver.answer(first, 1);
        driver.answer(0, 2);
        co_await g.join();
      });
    };
    plait::run_on(sched, body());
    CHECK(order == (first == 0 ? "a1b2" : "b1a2"));
    CHECK(driver.submissions == 2);
  }
}

namespace {

// Moves all that it is asked to move, and touches no byte of it.
struct boundless final : plait::system_calls {
  ssize_t recv(int, void*, std::size_t bytes, int) noexcept override { return seen(bytes); }
  ssize_t send(int, void const*, std::size_t bytes, int) noexcept override { return seen(bytes); }
  ssize_t read(int, void*, std::size_t bytes) noexcept override { return seen(bytes); }
  ssize_t write(int, void const*, std::size_t bytes) noexcept override { return seen(bytes); }
  ssize_t pread(int, void*, std::size_t bytes, std::uint64_t at) noexcept override {
    return seen(bytes, at);
  }
  ssize_t pread_cached(int, void*, std::size_t, std::uint64_t) noexcept override { return -EAGAIN; }
  ssize_t pwrite(int, void const*, std::size_t bytes, std::uint64_t at) noexcept override {
    return seen(bytes, at);
  }
  ssize_t seen(std::size_t bytes, std::uint64_t at = 0) noexcept {
    offset = at;
    return static_cast<ssize_t>(bytes);
  }
  std::uint64_t offset = 0;
};

}  // namespace

TEST_CASE("op: more than one call can move is moved by several, whatever the operation") {
  using namespace plait::io;
  constexpr std::size_t four_gib_and_some = (std::size_t{1} << 32) + 5;
  constexpr std::size_t most = 0x7ffff000;  // read(2): what Linux moves at most
  static std::byte first;  // the others are never touched
  for (op_lowering const* const how :
       {&lowerings::recv, &lowerings::recv_in_pieces, &lowerings::send, &lowerings::read_stream,
        &lowerings::write_stream, &lowerings::read_at, &lowerings::write_at}) {
    INFO(how->name);
    boundless calls;
    count_op o(*how, 3, &first, four_gib_and_some, 1000);
    std::vector<std::size_t> parts;
    while (o.done < o.length && parts.size() < 5) {
      int const moved = how->interest != 0 ? how->try_now(o, calls) : how->block(o, calls);
      if (how->prepare != nullptr) {
        io_uring_sqe sqe{};
        how->prepare(o, sqe);
        CHECK(sqe.len == static_cast<unsigned>(moved));
        CHECK(sqe.addr == reinterpret_cast<std::uintptr_t>(&first) + o.done);
      }
      REQUIRE(moved > 0);
      if (how->interest == 0) CHECK(calls.offset == 1000 + o.done);
      parts.push_back(static_cast<std::size_t>(moved));
      o.done += parts.back();
    }
    CHECK((parts == std::vector<std::size_t>{most, most, four_gib_and_some - 2 * most}));
  }
}

#if PLAIT_ASAN && PLAIT_ASSERTIONS
TEST_CASE("op: a buffer that is freed before the kernel has answered stops the program") {
  enum class buffer_of { read, message, write };
  for (buffer_of const kind : {buffer_of::read, buffer_of::message, buffer_of::write}) {
    auto const end = plait::test::in_child([kind] {
      fake_io_driver driver;
      plait::scheduler sched(driver);
      plait::run_on(sched, [](fake_io_driver& kernel, buffer_of what) -> task<> {
        plait::io::tcp_stream stream{plait::io::descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC))};
        plait::io::udp_socket socket{plait::io::descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC))};
        auto bytes = std::make_unique<char[]>(64);
        co_await plait::with_task_group([&](plait::task_group& g) -> task<> {
          g.spawn([&]() -> task<> {
            plait::io::mutable_buffer const into(bytes.get(), 64);
            plait::io::const_buffer const from(bytes.get(), 64);
            if (what == buffer_of::read) co_await stream.read_some(into);
            if (what == buffer_of::write) co_await stream.write_some(from);
            if (what == buffer_of::message) co_await socket.receive_from(into);
          });
          while (kernel.held.empty()) co_await plait::yield();
          bytes.reset();
          kernel.answer(0, 8);
          co_await g.join();
        });
      }(driver, kind));
    });
    INFO(end.output);
    CHECK(end.aborted());
    CHECK(end.says("an I/O buffer was freed before its operation had completed"));
  }
}
#endif
