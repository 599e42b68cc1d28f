// A deadlock: made and detected, prevented in two ways, and avoided. It takes four conditions at once: what
// is held is not shared, who holds it waits for more, nobody can take it away, and the waits form a circle.
#include <plait/plait.hpp>

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>

using namespace std::chrono_literals;
using plait::mutex;
using plait::task;

using transfer = task<>(mutex& from, mutex& to);

// Right by itself. Of two that go opposite ways, each comes to hold what the other one wants.
static task<> one_by_one(mutex& from, mutex& to) {
  auto const first = co_await from.lock();
  co_await plait::sleep_for(1ms);
  auto const second = co_await to.lock();
}

// No circle: in one order for everyone, whatever that of the arguments.
static task<> both_at_once(mutex& from, mutex& to) {
  auto const both = co_await plait::lock_all(from, to);
  co_await plait::sleep_for(1ms);
}

static task<> two_clerks(transfer& how, mutex& a, mutex& b) {
  co_await plait::with_task_group([&](plait::task_group& bank) -> task<> {
    bank.spawn(plait::named("ann", how), std::ref(a), std::ref(b));
    bank.spawn(plait::named("bob", how), std::ref(b), std::ref(a));
    co_await bank.join();
  });
  std::puts("  both are done");
}

// Each needs both keys in the end: the banker gives the last one only to who can end with it.
static task<> take_keys(char const* clerk, plait::banker<1>& keys, plait::duration after) {
  co_await plait::sleep_for(after);
  auto mine = keys.claim({2}, clerk);
  char const* const verdict = mine.would_be_safe({1}) ? "safe" : "not safe, waits";
  std::printf("  %s asks for one of %zu: %s\n", clerk, keys.available()[0], verdict);
  auto const first = co_await mine.acquire({1});
  co_await plait::sleep_for(20ms);
  auto const second = co_await mine.acquire({1});
  std::printf("  %s has both\n", clerk);
}

static task<> program() {
  auto& here = plait::scheduler::current();
  here.on_deadlock = here.on_lock_order = [](std::string const& text) { std::puts(text.c_str()); };
  co_await plait::set_task_name("bank");
  mutex savings("savings", plait::lock_level(1));
  mutex current("current", plait::lock_level(2));

  std::puts("made, and detected:");
  try {
    co_await two_clerks(one_by_one, savings, current);
  } catch (plait::deadlock_error const& e) {
    std::printf("  %s\n", e.what());
  }
  std::puts("prevented, by taking all or none:");
  co_await two_clerks(both_at_once, savings, current);

  std::puts("prevented, by levels that have to rise, where nothing hangs yet:");
  plait::check_lock_order(true);
  co_await one_by_one(savings, current);
  co_await one_by_one(current, savings);

  std::puts("avoided, by a banker:");
  plait::banker keys({2}, "keys");
  co_await plait::when_all(take_keys("ann", keys, 0ms), take_keys("bob", keys, 10ms));
}

int main(int argc, char** argv) { return plait::run(argc, argv, program); }
