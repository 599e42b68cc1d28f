#include <plait/task_tree.hpp>

#include <plait/select.hpp>
#include <plait/sleep.hpp>
#include <plait/sync/mutex.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

#include <poll.h>

using namespace std::chrono_literals;
using plait::live_task;
using plait::named;
using plait::task;
using plait::task_activity;
using plait::task_group;
using plait::task_tree;
using plait::testing::manual_scheduler;

namespace {

task_tree tree_of(manual_scheduler& m) {
  return m.on_thread([&] { return plait::snapshot(m.sched()); });
}

live_task const& find(task_tree const& tree, std::string const& name) {
  auto const found = std::find_if(tree.tasks.begin(), tree.tasks.end(),
                                  [&](live_task const& t) { return t.name == name; });
  REQUIRE(found != tree.tasks.end());
  return *found;
}

unsigned sleeps_at = 0;
unsigned calls_at = 0;

task<> deepest(plait::duration d) {
  sleeps_at = __LINE__ + 1;
  co_await plait::sleep_for(d);
}

task<int> middle() {
  calls_at = __LINE__ + 1;
  co_await deepest(10s);
  co_return 1;
}

task<> outermost(int) { co_await middle(); }

task<> family() {
  co_await plait::set_task_name("family");
  auto const body = [](task_group& g) -> task<> {
    g.spawn(named("reader", deepest), 100s);
    g.spawn(outermost, 1);
    co_await g.join();
  };
  co_await plait::with_task_group(body);
}

task<> lock_twice(plait::mutex& m) {
  auto const held = co_await m.lock();
  co_await plait::sleep_for(1s);
}

bool says(std::string const& text, std::string const& part) {
  INFO(text);
  bool const found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE("task tree: the chain of awaits, innermost first, with file and line") {
  manual_scheduler m;
  m.start(outermost, 1);
  m.run_until_idle();
  task_tree const tree = tree_of(m);
  REQUIRE(tree.tasks.size() == 1);
  live_task const& t = tree.tasks.front();
  CHECK(t.name == "outermost");
  CHECK(t.activity == task_activity::waiting);
  REQUIRE(t.awaits.size() == 3);
  CHECK(t.awaits[0].function == "deepest");
  CHECK(t.awaits[0].line == sleeps_at);
  CHECK(t.awaits[1].function == "middle");
  CHECK(t.awaits[1].line == calls_at);
  CHECK(t.awaits[2].function == "outermost");
  CHECK(t.awaits[2].file.ends_with("task_tree.cpp"));
}

TEST_CASE("task tree: names, parents, what each waits for and since when") {
  manual_scheduler m;
  m.start(family);
  m.run_until_idle();
  m.io().advance(3200ms);
  task_tree const tree = tree_of(m);
  REQUIRE(tree.tasks.size() == 3);
  CHECK(tree.tasks[0].name == "family");
  CHECK(tree.tasks[0].parent == live_task::none);
  CHECK(tree.tasks[0].waits_for == std::vector<std::string>{"end of its children"});
  CHECK(tree.tasks[1].name == "reader");
  CHECK(tree.tasks[1].parent == 0);
  CHECK(tree.tasks[1].waits_for == std::vector<std::string>{"sleep, 96.8 s left"});
  CHECK(tree.tasks[1].waited > 3190ms);
  CHECK(tree.tasks[1].waited < 3210ms);
  CHECK(tree.tasks[2].name == "outermost");
  CHECK_FALSE(tree.tasks[2].cancelled);

  std::string const drawn = tree.to_tree();
  INFO(drawn);
  CHECK(drawn.starts_with("family  waits for end of its children (3.2 s) at task_tree.cpp:"));
  says(drawn, "\n├─ reader  waits for sleep, 96.8 s left (3.2 s) at task_tree.cpp:");
  says(drawn, "\n└─ outermost  waits for sleep, 6.8 s left");
}

TEST_CASE("task tree: who has begun to run, who has not, who is ready and who runs") {
  manual_scheduler m;
  m.start(named("fresh", deepest), 1s);
  CHECK(tree_of(m).tasks.at(0).activity == task_activity::ready);
  CHECK(tree_of(m).tasks.at(0).awaits.empty());
  task_tree inside;
  m.start([&]() -> task<> {
    co_await plait::yield();
    inside = plait::snapshot(plait::scheduler::current());
  });
  m.start([&]() -> task<> {
    for (int i = 0; i < 4; ++i) co_await plait::yield();
  });
  CHECK(tree_of(m).tasks.at(1).name == "(new)");
  m.run_until_idle();
  REQUIRE(inside.tasks.size() == 3);
  CHECK(inside.tasks[0].activity == task_activity::waiting);
  CHECK(inside.tasks[1].activity == task_activity::running);
  CHECK(inside.tasks[1].awaits.empty());
  CHECK(inside.tasks[2].activity == task_activity::ready);
  REQUIRE(inside.tasks[2].awaits.size() == 1);
  says(inside.tasks[2].name, "lambda");
  CHECK(tree_of(m).tasks.size() == 1);
}

TEST_CASE("task tree: a lock's holder and the line with which it came to hold it; a join's child") {
  manual_scheduler m;
  plait::mutex lock("accounts");
  m.start(named("first", lock_twice), std::ref(lock));
  m.start(named("second", lock_twice), std::ref(lock));
  auto const child = m.start(named("child", deepest), 1h);
  m.start([&]() -> task<> { co_await child; });
  m.run_until_idle();
  task_tree const tree = tree_of(m);
  says(find(tree, "second").waits_for.at(0), "mutex 'accounts', held by first since task_tree.cpp:");
  CHECK(tree.tasks.at(3).waits_for == std::vector<std::string>{"end of child"});
  m.close();  // the joiner ends before the handle goes
}

TEST_CASE("task tree: a select names all that it waits for; descriptors by their number") {
  manual_scheduler m;
  m.start(named("selects", []() -> task<> {
    co_await plait::select(plait::sleep_for(5s), plait::fd_wait(0, POLLIN), plait::fd_wait(0, POLLOUT));
  }));
  m.run_until_idle();
  auto waits = find(tree_of(m), "selects").waits_for;
  std::sort(waits.begin(), waits.end());
  CHECK(waits == std::vector<std::string>{"readability of descriptor 0", "sleep, 5.0 s left",
                                          "writability of descriptor 0"});
}

TEST_CASE("task tree: who is cancelled and cannot end yet shows so") {
  manual_scheduler m;
  m.sched().on_unhandled = [](std::exception_ptr) {};  // a shield that is cut short throws timed_out
  m.start(named("stays", []() -> task<> {
    co_await plait::move_on_after(1ms, [](plait::cancel_scope&) -> task<> {
      co_await plait::shield(deepest, 1h);
    });
  }));
  m.run_until_idle();
  m.advance(1s);
  task_tree const tree = tree_of(m);
  CHECK_FALSE(tree.tasks.at(0).cancelled);  // not within the shield
  m.on_thread([&] { m.sched().background().cancel(); });
  CHECK(find(tree_of(m), "stays").activity == task_activity::waiting);
  m.on_thread([&] { m.sched().background().scope().cancel_shields("the test ends"); });
  CHECK(find(tree_of(m), "stays").cancelled);
}

TEST_CASE("task tree: as a table, as JSON, and the awaits of one task") {
  manual_scheduler m;
  m.start(family);
  m.start(named("quote\"d\n", deepest), 1s);
  m.run_until_idle();
  task_tree const tree = tree_of(m);
  std::string const text = tree.to_text();
  CHECK(text.starts_with("TASK "));
  CHECK(std::count(text.begin(), text.end(), '\n') == 6);  // the name has one
  says(text, "outermost  sleep, 10.0 s left\n");
  std::string const json = tree.to_json();
  CHECK(json.starts_with("[{\"id\":\""));
  says(json, "\"name\":\"quote\\\"d\\u000a\"");
  says(json, "\"waits_for\":[\"sleep, 10.0 s left\"],\"waited_ms\":0,\"awaits\":[{\"function\":\"deepest\"");
  std::string const chain = tree.to_backtrace("outermost");
  says(chain, "  deepest\n    at ");
  says(chain, "  outermost\n    at ");
  CHECK(tree.to_backtrace("nobody").empty());
  CHECK(task_tree().to_tree().empty());
  CHECK(task_tree().to_json() == "[]");
}

TEST_CASE("task tree: ten thousand tasks and a chain a hundred thousand deep") {
  manual_scheduler m;
  struct chain {
    static task<> of(int depth) {
      if (depth == 0) {
        co_await plait::sleep_forever();
      } else {
        co_await of(depth - 1);
      }
    }
  };
  m.start(named("deep", chain::of), 100'000);
  for (int i = 0; i < 10'000; ++i) m.start(deepest, 1h);
  m.run_until_idle();
  task_tree const tree = tree_of(m);
  CHECK(tree.tasks.size() == 10'001);
  CHECK(find(tree, "deep").awaits.size() == 100'001);
}

TEST_CASE("function names: of what compilers call a coroutine the qualified name is left") {
  using plait::function_name;
  CHECK(function_name("task<> (anonymous namespace)::read_all(int, std::vector<int> &)") == "read_all");
  CHECK(function_name("plait::task<int> bank::account::draw(int) const") == "bank::account::draw");
  CHECK(function_name("auto main()::(anonymous class)::operator()(int) const") == "main::lambda");
  CHECK(function_name("auto f(int)::(lambda at a.cpp:1:2)::operator()() const -> task<>") == "f::lambda");
  CHECK(function_name("task<T> plait::detail::in_group(Fn, Args...) [Fn = int, Args = <>]") ==
        "plait::detail::in_group");
  CHECK(function_name("void note(note(int)::_Z4notei.Frame*)") == "note");
  CHECK(function_name("(anonymous namespace)::f(int)::<lambda(int)>") == "f");
  CHECK(function_name(nullptr).empty());
}

TEST_CASE("durations: in the unit that fits") {
  CHECK(plait::to_string(plait::duration(1500us)) == "2 ms");
  CHECK(plait::to_string(plait::duration(1500ms)) == "1.5 s");
  CHECK(plait::to_string(plait::duration(10min)) == "10 min");
  CHECK(plait::to_string(plait::duration(125min)) == "2 h 5 min");
}
