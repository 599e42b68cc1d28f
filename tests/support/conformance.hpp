// One body, three drivers:
//
//     CONFORMANCE_TEST("tcp read_some: the peer closes", "end") { ...; co_return "end"; }
//
// The body tells what came of it, in a word. The words behind the name are what may come of it: a kernel
// must never say another one, and the simulated world must say each of them over its seeds, but for
// those that begin with '~'. On a kernel a body runs a few times, in the simulated world with 300 seeds.
#pragma once

#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/task.hpp>

#include <catch2/catch.hpp>

#include <functional>
#include <string>
#include <vector>

namespace plait::test {

// Where a body runs.
class stage {
 public:
  stage(std::string folder, bool simulated) : folder_(std::move(folder)), simulated_(simulated) {}
  bool simulated() const noexcept { return simulated_; }
  std::string path(std::string const& name) const { return folder_ + name; }

 private:
  std::string folder_;
  bool simulated_;
};

using conformance_body = task<std::string> (*)(stage&);

// The body's word; "cancelled" or "timed out" where it does not come to its end in a scope that is
// cancelled already, is cancelled a little later, or has a deadline in the past.
task<std::string> cancelled_before(task<std::string> body);
task<std::string> cancelled_meanwhile(task<std::string> body);
task<std::string> past_its_deadline(task<std::string> body);

void conform_on_kernel(driver_kind kind, conformance_body body, std::vector<std::string> const& words);
void conform_in_simulation(conformance_body body, std::vector<std::string> const& words);

// A file with this in it, and nothing else.
task<> make_file(std::string path, std::string text);

// What is done, and in a word what came of it.
using action = std::function<task<std::string>()>;

std::string word_of(io::io_error const& e);

// Runs an action; `scope` can be cancelled meanwhile.
struct attempt {
  cancel_scope* scope = nullptr;
  std::string word;

  task<> run(action const& act);
};

// The word of an action that nobody disturbs.
task<std::string> outcome_of(action const& act);

// Lets what is under way arrive.
task<> a_while();

enum class event { there, later, cancelled_before, cancelled_during, closed_during, deadline };

// What is done to an action that would wait: `complete` makes it end by itself, `close` closes what it
// works on.
task<std::string> under(event e, action const& act, std::function<task<>()> const& complete,
                        std::function<task<>()> const& close);

// Runs the action, and `other` a while later.
task<std::string> while_waiting(action const& act, std::function<task<>()> const& other);

// An action that sets `done` when it has ended well.
action then_set(bool& done, action act);

}  // namespace plait::test

#define PLAIT_CONFORMANCE_NAMED(body, name, ...)                                                \
  static ::plait::task<std::string> body(::plait::test::stage& at);                             \
  static void PLAIT_CONFORMANCE_JOIN(body, _on_kernel)(::plait::test::io_fixture & io) {        \
    ::plait::test::conform_on_kernel(io.options.kind, &(body), {__VA_ARGS__});                  \
  }                                                                                             \
  TEST_CASE("conformance: " name " [io_uring]", "[io][io_uring][conformance]") {                \
    ::plait::test::run_io_test(::plait::driver_kind::io_uring,                                  \
                               "conformance: " name " [io_uring]",                              \
                               &PLAIT_CONFORMANCE_JOIN(body, _on_kernel));                      \
  }                                                                                             \
  TEST_CASE("conformance: " name " [epoll]", "[io][epoll][conformance]") {                      \
    ::plait::test::run_io_test(::plait::driver_kind::epoll, "conformance: " name " [epoll]",    \
                               &PLAIT_CONFORMANCE_JOIN(body, _on_kernel));                      \
  }                                                                                             \
  TEST_CASE("conformance: " name " [sim]", "[io][sim][conformance]") {                          \
    ::plait::test::conform_in_simulation(&(body), {__VA_ARGS__});                               \
  }                                                                                             \
  static ::plait::task<std::string> body([[maybe_unused]] ::plait::test::stage& at)

#define PLAIT_CONFORMANCE_JOIN_AGAIN(a, b) a##b
#define PLAIT_CONFORMANCE_JOIN(a, b) PLAIT_CONFORMANCE_JOIN_AGAIN(a, b)
#define CONFORMANCE_TEST(name, ...)                                                             \
  PLAIT_CONFORMANCE_NAMED(INTERNAL_CATCH_UNIQUE_NAME(plait_conformance_), name, __VA_ARGS__)
