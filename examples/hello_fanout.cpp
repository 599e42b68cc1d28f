// Several things at once, and what happens to the one that is not needed any more: all of them, the
// first of them, for a while, and as a group in which one fails. Whoever is given up is cancelled,
// may clean up, and is waited for.
#include <plait/plait.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <tuple>

using namespace std::chrono_literals;

// Stands for a question over the network.
static plait::task<std::string> ask(std::string server, plait::duration latency) {
  try {
    co_await plait::sleep_for(latency);
  } catch (plait::cancelled const& why) {
    std::printf("  %s is given up: %s\n", server.c_str(), why.reason());
    throw;  // cleaning up is fine, going on is not
  }
  std::printf("  %s answers\n", server.c_str());
  co_return "hello from " + server;
}

static plait::task<> fail_to_ask(std::string server, plait::duration latency) {
  co_await plait::sleep_for(latency);
  throw std::runtime_error(server + " refuses");
}

// The group ends when both children have; the failure of one cancels the other and comes out of it.
static plait::task<> ask_two(plait::task_group& group) {
  group.spawn(ask, "patient", 10s);
  group.spawn(fail_to_ask, "rude", 10ms);
  co_await group.join();
}

static plait::task<> program() {
  std::puts("all of three:");
  auto const [a, b, c] =
      co_await plait::when_all(ask("alpha", 30ms), ask("beta", 10ms), ask("gamma", 20ms));
  std::printf("%s; %s; %s\n", a.c_str(), b.c_str(), c.c_str());

  std::puts("the first of two:");
  auto const first = co_await plait::when_any(ask("far", 10s), ask("near", 10ms));
  std::printf("number %zu: %s\n", first.index, std::get<1>(first.values)->c_str());

  std::puts("for 20 ms:");
  auto const maybe = co_await plait::move_on_after(20ms, ask, "slow", 10s);
  std::puts(maybe ? maybe->c_str() : "no answer, moving on");

  std::puts("a group, one of which fails:");
  try {
    co_await plait::with_task_group(ask_two);
  } catch (std::runtime_error const& error) {
    std::printf("the group failed: %s\n", error.what());
  }
}

int main(int argc, char** argv) { return plait::run(argc, argv, program); }
