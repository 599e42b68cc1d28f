#include "support/conformance.hpp"

#include "support/io_peer.hpp"

#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/io/file.hpp>
#include <plait/testing/sim.hpp>
#include <plait/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

namespace plait::test {
namespace {

constexpr int kernel_runs = 2;
constexpr std::uint64_t simulated_seeds = 300;

bool may_come(std::string const& word, std::vector<std::string> const& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string const& w) { return w == word || w == "~" + word; });
}

}  // namespace

task<std::string> cancelled_before(task<std::string> body) {
  std::string word = "cancelled";
  auto const run = [&](cancel_scope& scope) -> task<> {
    scope.cancel();
    word = co_await std::move(body);
  };
  co_await with_cancel_scope(run);
  co_return word;
}

task<std::string> cancelled_meanwhile(task<std::string> body) {
  std::string word = "cancelled";
  auto const run = [&]() -> task<> { word = co_await std::move(body); };
  auto const both = [&](task_group& g) -> task<> {
    g.spawn(run);
    co_await yield();
    g.cancel();
    co_await g.join();
  };
  co_await with_task_group(both);
  co_return word;
}

task<std::string> past_its_deadline(task<std::string> body) {
  auto const run = [&]() -> task<std::string> {
    std::string word = co_await std::move(body);
    co_return word;
  };
  auto const word = co_await move_on_after(std::chrono::seconds(-1), run);
  co_return word.value_or("timed out");
}

void conform_on_kernel(driver_kind kind, conformance_body body, std::vector<std::string> const& words) {
  for (int run = 0; run < kernel_runs; ++run) {
    temporary_folder const folder;
    stage at(folder / "", false);
    io_fixture io(kind);
    std::string const word = io.run([&] { return body(at); });
    INFO("it said \"" << word << "\"");
    CHECK(may_come(word, words));
  }
}

void conform_in_simulation(conformance_body body, std::vector<std::string> const& words) {
  std::set<std::string> said;
  for (std::uint64_t seed = 1; seed <= simulated_seeds; ++seed) {
    stage at("", true);
    testing::sim_run world({.seed = seed});
    std::string const word = world.run([&] { return body(at); });
    INFO("seed " << seed << " said \"" << word << "\"");
    CHECK(may_come(word, words));
    bool const nothing_left = world.ledger() == testing::sim_ledger{};
    CHECK(nothing_left);
    said.insert(word);
  }
  for (std::string const& word : words) {
    if (word.front() == '~') continue;
    INFO("no seed said \"" << word << "\"");
    CHECK(said.count(word) == 1);
  }
}

std::string word_of(io::io_error const& e) {
  static std::pair<std::error_code, char const*> const words[] = {
      {make_error_code(io::errc::closed), "closed"},
      {make_error_code(io::errc::end_of_file), "end"},
      {make_error_code(io::errc::busy), "busy"},
      {make_error_code(std::errc::connection_reset), "reset"},
      {make_error_code(std::errc::broken_pipe), "broken pipe"},
      {make_error_code(std::errc::connection_refused), "refused"},
      {make_error_code(std::errc::no_such_file_or_directory), "not there"},
      {make_error_code(std::errc::address_in_use), "in use"},
      {make_error_code(std::errc::message_size), "too long"},
      {make_error_code(std::errc::not_connected), "not connected"},
      {make_error_code(std::errc::wrong_protocol_type), "another type"},
      {make_error_code(std::errc::destination_address_required), "no address"},
      {make_error_code(std::errc::bad_file_descriptor), "no descriptor"},
      {make_error_code(std::errc::invalid_argument), "invalid"},
      {make_error_code(std::errc::operation_not_permitted), "not permitted"},
      {make_error_code(std::errc::address_family_not_supported), "another family"},
  };
  for (auto const& [code, word] : words) {
    if (e.code() == code) return word;
  }
  return e.what();
}

task<> attempt::run(action const& act) {
  word = "cancelled";
  auto const body = [&](cancel_scope& s) -> task<> {
    scope = &s;
    std::string said;
    try {
      said = co_await act();
    } catch (io::io_error const& e) {
      said = word_of(e);
    } catch (timed_out const&) {
      said = "timed out";
    }
    word = said;
  };
  co_await with_cancel_scope(body);
  scope = nullptr;
}

task<std::string> outcome_of(action const& act) {
  attempt a;
  co_await a.run(act);
  co_return a.word;
}

task<> a_while() { co_await sleep_for(std::chrono::milliseconds(4)); }

namespace {

task<std::string> too_late(action const& act) {
  attempt a;
  action const cancelled_first = [&]() -> task<std::string> {
    a.scope->cancel();
    co_return co_await act();
  };
  co_await a.run(cancelled_first);
  co_return a.word;
}

}  // namespace

task<std::string> under(event e, action const& act, std::function<task<>()> const& complete,
                        std::function<task<>()> const& close) {
  if (e == event::cancelled_before) co_return co_await too_late(act);
  attempt a;
  action const timed = [&]() -> task<std::string> {
    co_return co_await with_timeout(std::chrono::milliseconds(3), act());
  };
  if (e == event::there) co_await complete();
  co_await with_task_group([&](task_group& g) -> task<> {
    auto const run = [&]() -> task<> { co_await a.run(e == event::deadline ? timed : act); };
    g.spawn(run);
    co_await a_while();
    if (e == event::later) co_await complete();
    if (e == event::cancelled_during && a.scope != nullptr) a.scope->cancel();
    if (e == event::closed_during) co_await close();
    co_await g.join();
  });
  co_return a.word;
}

task<std::string> while_waiting(action const& act, std::function<task<>()> const& other) {
  return under(event::later, act, other, other);
}

action then_set(bool& done, action act) {
  return [&done, act = std::move(act)]() -> task<std::string> {
    std::string const word = co_await act();
    done = true;
    co_return word;
  };
}

task<> make_file(std::string path, std::string text) {
  io::file made = co_await io::file::open(std::move(path), io::file_mode::write);
  co_await made.write_at(0, text);
  co_await made.close();
}

}  // namespace plait::test
