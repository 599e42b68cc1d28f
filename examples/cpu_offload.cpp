// The same CPU work inline, on threads and in processes, while a heartbeat wants to tick every
// millisecond: inline the loop stands still, and the heart with it.
#include <plait/plait.hpp>

#include <chrono>
#include <cstdio>
#include <functional>

using namespace std::chrono_literals;

// Odd numbers only, by trial division: slow on purpose.
int count_primes(int from, int to) {
  int count = 0;
  for (int n = from | 1; n < to; n += 2) {
    bool prime = true;
    for (int d = 3; d * d <= n && prime; d += 2) prime = n % d != 0;
    count += prime ? 1 : 0;
  }
  return count;
}

constexpr int jobs = 8;
constexpr int first = 1'000'001;
constexpr int job_size = 200'000;

plait::task<> beat(int& ticks) {
  for (;;) {
    co_await plait::sleep_for(1ms);
    ++ticks;
  }
}

// One job's way to its answer.
using offload = std::function<plait::task<int>(int from, int to)>;

plait::task<> add(offload const& count, int from, int& primes) {
  primes += co_await count(from, from + job_size);
}

plait::task<> measure(char const* name, offload const& count) {
  int ticks = 0;
  int primes = 0;
  auto const began = plait::clock::now();
  auto const body = [&](plait::task_group& heart) -> plait::task<> {
    heart.spawn(beat, std::ref(ticks));
    auto const all = [&](plait::task_group& work) -> plait::task<> {
      for (int i = 0; i < jobs; ++i) {
        work.spawn(add, std::cref(count), first + i * job_size, std::ref(primes));
      }
      co_await work.join();
    };
    co_await plait::with_task_group(all);
    heart.cancel("the work is done");
    co_await heart.join();
  };
  co_await plait::with_task_group(body);
  auto const ms = (plait::clock::now() - began) / 1ms;
  std::printf("%-10s %8d %8lld ms %6d ticks\n", name, primes, static_cast<long long>(ms), ticks);
}

plait::task<> program() {
  plait::thread_pool threads({.name = "cpu"});
  plait::process_pool processes;
  co_await processes.start();

  offload const inline_ = [](int from, int to) -> plait::task<int> { co_return count_primes(from, to); };
  offload const on_threads = [&](int from, int to) -> plait::task<int> {
    co_return co_await threads.run(count_primes, from, to);
  };
  offload const in_processes = [&](int from, int to) -> plait::task<int> {
    co_return co_await processes.run(count_primes, from, to);
  };
  std::printf("%-10s %8s %11s %12s\n", "where", "primes", "time", "heartbeat");
  co_await measure("inline", inline_);
  co_await measure("threads", on_threads);
  co_await measure("processes", in_processes);
  co_await processes.shutdown();
}

int main(int argc, char** argv) { return plait::run(argc, argv, program); }
