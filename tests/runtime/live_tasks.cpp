#include "live_tasks.hpp"

#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

using plait::task;
using plait::task_group;
using plait::testing::manual_scheduler;

namespace {

task<> named(char const* name) {
  plait::detail::task_state& self = co_await plait::detail::this_task_state();
  self.name = name;
  co_await plait::sleep_forever();
}

// Opens `groups` one in another, each with two children of this name.
task<> with_children(char const* name, int groups) {
  plait::detail::task_state& self = co_await plait::detail::this_task_state();
  self.name = name;
  auto const body = [&](task_group& g) -> task<> {
    g.spawn(named, "child");
    if (groups > 1) co_await with_children(name, groups - 1);
    g.spawn(named, "child");
  };
  co_await plait::with_task_group(body);
}

// "parent/task" of each, sorted.
std::string all_tasks(plait::scheduler& s) {
  std::vector<std::string> found;
  for (plait::detail::live_tasks walk(s); walk.next();) {
    auto const* const parent = walk.parent();
    std::string const name = walk.task().name == nullptr ? "-" : walk.task().name;
    found.push_back((parent == nullptr ? "" : std::string(parent->name) + "/") + name);
  }
  std::sort(found.begin(), found.end());
  std::string text;
  for (std::string const& f : found) text += f + " ";
  return text;
}

}  // namespace

TEST_CASE("live tasks: a scheduler that has run nothing has none") {
  manual_scheduler m;
  CHECK(all_tasks(m.sched()) == "");
}

TEST_CASE("live tasks: tasks in groups, in groups within groups, and those in no task's group") {
  manual_scheduler m;
  m.start(named, "alone");
  m.start(with_children, "one", 1);
  m.start(with_children, "three", 3);  // three groups of one task: the inner two wait for the innermost
  m.run_until_idle();
  CHECK(all_tasks(m.sched()) ==
        "alone one one/child one/child three three/child three/child three/child three/child ");
  {
    task_group sessions(m.sched().root_scope(), task_group::on_failure::report);
    m.on_thread([&] { sessions.spawn(named, "session"); });
    m.run_until_idle();
    CHECK(all_tasks(m.sched()).ends_with("session three three/child three/child three/child three/child "));
    m.on_thread([&] { sessions.cancel(); });
    m.run_until_idle();
  }
  m.close();
  CHECK(all_tasks(m.sched()) == "");
}

TEST_CASE("live tasks: a chain of a thousand tasks, each in the group of the one before") {
  manual_scheduler m;
  std::function<task<>(int)> const chain = [&](int left) -> task<> {
    plait::detail::task_state& self = co_await plait::detail::this_task_state();
    self.name = "link";
    auto const body = [&](task_group& g) -> task<> {
      if (left > 1) g.spawn(chain, left - 1);
      co_await plait::sleep_forever();
    };
    co_await plait::with_task_group(body);
  };
  m.start(std::cref(chain), 1000);
  m.run_until_idle();
  int tasks = 0;
  int roots = 0;
  for (plait::detail::live_tasks walk(m.sched()); walk.next();) {
    ++tasks;
    roots += walk.parent() == nullptr ? 1 : 0;
  }
  CHECK(tasks == 1000);
  CHECK(roots == 1);
}

TEST_CASE("live tasks: the task of a run is among them, and finds itself") {
  manual_scheduler m;
  m.run([&]() -> task<> {
    plait::detail::task_state& self = co_await plait::detail::this_task_state();
    self.name = "main";
    CHECK(all_tasks(m.sched()) == "main ");
  });
}
