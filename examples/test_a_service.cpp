// How a service is tested: against a script, with every I/O operation failing in its turn, and in
// simulation, which finds the lost wake-up that is planted here (io/plait/testing/README.md).
#include <plait/plait.hpp>
#include <plait/testing/fail_nth.hpp>
#include <plait/testing/script.hpp>
#include <plait/testing/sim.hpp>
#include <plait/testing/stream_pair.hpp>

#include <cstdio>
#include <stdexcept>

using namespace std::chrono_literals;
using namespace plait::testing;
using plait::task;
namespace io = plait::io;

// From one task to another. The planted bug: what comes between the look and the wait wakes nobody.
struct mailbox {
  std::string message;
  plait::cancel_scope* waiter = nullptr;

  void put(std::string m) {
    message = std::move(m);
    if (waiter != nullptr) waiter->cancel("a message has come");
  }
  task<std::string> take() {
    if (!message.empty()) co_return message;
    co_await plait::sleep_for(300us);  // a line for the log
    auto const wait = [this](plait::cancel_scope& scope) -> task<> {
      waiter = &scope;
      co_await plait::sleep_forever();
    };
    co_await plait::with_cancel_scope(wait);
    co_return message;
  }
};

task<> serve_one(auto& stream) {
  mailbox box;
  auto const answer = [&]() -> task<> {
    std::string const question = co_await box.take();
    co_await stream.write_all(question == "PING" ? "PONG" : "WHAT");
  };
  auto const ask = [&]() -> task<> {
    std::string question(4, '\0');
    co_await stream.read_exactly(question);
    box.put(question);
  };
  co_await plait::when_all(answer(), ask());
}

script const client = script().reply("PING").expect("PONG");

task<> over_memory() {
  auto [here, there] = stream_pair({.max_chunk = 1, .latency = 1ms});
  co_await plait::when_all(serve_one(here), client.play(there));
}

task<> over_tcp() {
  io::tcp_listener listener = io::tcp_listener::listen(io::address::loopback(7000));
  io::tcp_stream there = co_await io::tcp_stream::connect(listener.local_address());
  io::tcp_stream here = co_await listener.accept();
  co_await plait::when_all(serve_one(here), client.play(there));
}

int main() try {
  run_sim(over_memory);
  std::puts("by the script: it answers");
  for (long n = 1;; ++n) {
    fail_nth const fault("*", n, std::errc::connection_reset);
    bool noticed = false;
    try { run_sim(over_memory); } catch (std::runtime_error const&) { noticed = true; }
    std::printf("I/O operation %ld %s\n", n, noticed ? "fails: noticed" : "was not reached");
    if (!fault.happened()) break;
  }
  for_each_seed(1000, over_tcp);
  std::puts("no seed finds the bug");
} catch (sim_stuck const& e) {
  std::printf("found: %s\n", e.what());
}
