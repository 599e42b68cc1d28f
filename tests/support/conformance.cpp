#include "support/conformance.hpp"

#include "support/io_peer.hpp"

#include <plait/cancel.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/sim.hpp>

#include <algorithm>
#include <chrono>
#include <set>

namespace plait::test {
namespace {

constexpr int kernel_runs = 5;
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
    CHECK(world.open_descriptors() == 0);
    said.insert(word);
  }
  for (std::string const& word : words) {
    if (word.front() == '~') continue;
    INFO("no seed said \"" << word << "\"");
    CHECK(said.count(word) == 1);
  }
}

}  // namespace plait::test
