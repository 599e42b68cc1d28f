#include "workloads/heartbeat.hpp"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <exception>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "models/coro.hpp"
#include "models/pools.hpp"
#include "workloads/primes.hpp"
#include "workloads/units.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

constexpr std::uint32_t job_numbers = 60'000;
constexpr int job_answer = 4'334;  // primes in [1,000,000, 1,060,000)

void sleep_until(std::uint64_t when_ns) {
  timespec const t{static_cast<time_t>(when_ns / 1'000'000'000),
                   static_cast<long>(when_ns % 1'000'000'000)};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, nullptr) != 0) {
  }
}

// One thread does both: the tick waits for the job that runs.
rep_result inline_run(cell const& c) {
  heartbeat beats(c);
  while (beats.more()) {
    beats.job_done(heartbeat_job());
    beats.beat();
  }
  return beats.result();
}

// `workers` threads keep starting a unit for each job, while this thread ticks. Their answers
// come over in `done` and `wrong`, since the books belong to this thread.
template <class Job>
rep_result beside_jobs(cell const& c, Job const& run_a_job) {
  std::atomic<bool> stop = false;
  std::atomic<long> done = 0;
  std::atomic<bool> failed = false;
  std::exception_ptr failure;
  std::vector<std::jthread> starters;
  heartbeat beats(c);
  for (int i = 0; i < c.workers; ++i)
    starters.emplace_back([&] {
      try {
        while (!stop.load(std::memory_order_relaxed)) {
          check_answer(run_a_job() == job_answer, "primes of the heartbeat's job");
          done.fetch_add(1, std::memory_order_relaxed);
        }
      } catch (...) {
        if (!failed.exchange(true)) failure = std::current_exception();
      }
    });
  while (beats.more() && !failed) {
    sleep_until(beats.next_due());
    beats.beat();
    for (long n = done.exchange(0, std::memory_order_relaxed); n > 0; --n)
      beats.job_done(job_answer);
  }
  stop = true;
  starters.clear();
  if (failure) std::rethrow_exception(failure);
  return beats.result();
}

rep_result thread_run(cell const& c) {
  return beside_jobs(c, [] {
    int answer = 0;
    std::thread([&] { answer = heartbeat_job(); }).join();
    return answer;
  });
}

// The child does nothing but the arithmetic and _exit: safe after a fork beside other threads.
rep_result process_run(cell const& c) {
  shared_array<int> answers(static_cast<std::size_t>(c.workers));
  std::atomic<std::size_t> next = 0;
  return beside_jobs(c, [&] {
    static thread_local std::size_t const mine = next.fetch_add(1);
    int& answer = answers[mine];
    reap_child(fork_child([&] { answer = heartbeat_job(); }));
    return answer;
  });
}

}  // namespace

heartbeat::heartbeat(cell const& c) : window_(c), due_(now_ns() + period_ns) {}

bool heartbeat::more() { return window_.more(); }

void heartbeat::beat() {
  std::uint64_t const now = now_ns();
  for (; due_ <= now; due_ += period_ns)
    if (window_.counting()) late_.add(now - due_);
}

void heartbeat::job_done(int answer) {
  check_answer(answer == job_answer, fmt::format("{} primes instead of {}", answer, job_answer));
  window_.add(1);
}

rep_result heartbeat::result() const {
  rep_result r = window_.result();
  r.extra["jobs_per_s"] = r.wall_s > 0 ? r.ops / r.wall_s : 0;
  r.extra["ticks"] = static_cast<double>(late_.count());
  r.latency = late_;
  r.value = late_.mean_ns() / 1e9;
  r.drift = 0;
  if (late_.count() == 0) r.error = "no tick came due in the window";
  return r;
}

int heartbeat_job() { return count_primes(primes_from, job_numbers); }

workload mix_heartbeat() {
  return {
      .id = "mix.heartbeat",
      .title = "a 1 kHz tick beside CPU jobs of about 5 ms: how late the tick comes",
      .operation = "job",
      .figure = metric::lateness,
      .sizes = {1},
      .full_sizes = {1},
      .models = {{"inline", inline_run},
                 {"coro", coro_heartbeat},
                 {"thread", thread_run},
                 {"pool", pool_heartbeat},
                 {"process", process_run},
                 {"ppool", ppool_heartbeat}},
  };
}

}  // namespace plait::lab
