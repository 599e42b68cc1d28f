// What to look at when a program hangs. Two requests get no answer: the tree of the tasks says what each one
// waits for and who holds that, and the awaits of that one, where it stands and how it has come there.
#include <plait/plait.hpp>

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>

using namespace std::chrono_literals;
using plait::task;

struct service {
  plait::mutex cache{"cache"};
  plait::event reply{"reply of the database"};
};

static task<> ask_database(service& s) { co_await s.reply.wait(); }  // no timeout: the mistake

static task<> refresh(service& s) {
  auto const held = co_await s.cache.lock();
  co_await ask_database(s);
}

static task<> answer(service& s) {
  auto const held = co_await s.cache.lock();
  std::puts("  a request is answered");
}

static void print(std::string const& text) { std::printf("%s", text.c_str()); }

static task<> look_around(service& s) {
  auto& here = plait::scheduler::current();
  plait::task_tree const tree = plait::snapshot(here);
  std::puts("Which tasks are there, and what does each wait for?");
  print(tree.to_tree());
  std::puts("\nBoth requests want the cache. Its holder has taken it in one line and stands in another:");
  print(tree.to_backtrace("refresh"));
  bool const is_deadlock = !plait::find_deadlocks(here).empty();
  std::printf("\nIs it a deadlock? %s\n", is_deadlock ? "Yes." : "No, somebody may still reply.");
  std::puts("\nThe database replies:");
  s.reply.set();
  co_return;
}

static task<> program() {
  service s;
  co_await plait::set_task_name("service");
  co_await plait::with_task_group([&](plait::task_group& group) -> task<> {
    group.spawn(plait::named("refresh", refresh), std::ref(s));
    co_await plait::sleep_for(1ms);
    group.spawn(plait::named("request 1", answer), std::ref(s));
    group.spawn(plait::named("request 2", answer), std::ref(s));
    co_await plait::sleep_for(10ms);
    group.spawn(plait::named("visitor", look_around), std::ref(s));
    co_await group.join();
  });
}

int main(int argc, char** argv) { return plait::run(argc, argv, program); }
