#include "workloads/primes.hpp"

#include <functional>

#include <fmt/format.h>

#include "method/window.hpp"
#include "models/coro.hpp"
#include "models/pools.hpp"
#include "workloads/units.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

bool is_prime(std::uint32_t n) {
  if (n < 4) return n > 1;
  if (n % 2 == 0) return false;
  for (std::uint32_t d = 3; d * d <= n; d += 2)
    if (n % d == 0) return false;
  return true;
}

rep_result run_batches(cell const& c, std::function<void(std::span<int>)> const& batch) {
  primes_key const key(c.n);
  shared_array<int> answers(static_cast<std::size_t>(c.n));
  window w(c);
  while (w.more()) {
    for (int& a : answers.items()) a = -1;
    batch(answers.items());
    key.check(answers.items());
    w.add(static_cast<double>(c.n));
  }
  return w.result();
}

rep_result inline_run(cell const& c) {
  return run_batches(c, [](std::span<int> answers) {
    for (std::uint32_t i = 0; i < answers.size(); ++i) answers[i] = primes_job(i);
  });
}

rep_result thread_run(cell const& c) {
  return run_batches(c, [&](std::span<int> answers) {
    run_threads(c.n, [&](long i) {
      answers[static_cast<std::size_t>(i)] = primes_job(static_cast<std::uint32_t>(i));
    });
  });
}

rep_result process_run(cell const& c) {
  return run_batches(c, [&](std::span<int> answers) {
    run_processes(c.n, [&](long i) {
      answers[static_cast<std::size_t>(i)] = primes_job(static_cast<std::uint32_t>(i));
    });
  });
}

}  // namespace

int count_primes(std::uint32_t from, std::uint32_t count) {
  int found = 0;
  for (std::uint32_t n = from; n < from + count; ++n) found += is_prime(n) ? 1 : 0;
  return found;
}

int primes_job(std::uint32_t i) {
  return count_primes(primes_from + i * primes_per_job, primes_per_job);
}

primes_key::primes_key(long jobs) : answers_(static_cast<std::size_t>(jobs)) {
  std::size_t const end = primes_from + static_cast<std::size_t>(jobs) * primes_per_job;
  std::vector<bool> composite(end);
  for (std::size_t d = 2; d * d < end; ++d)
    if (!composite[d])
      for (std::size_t m = d * d; m < end; m += d) composite[m] = true;
  for (std::size_t n = primes_from; n < end; ++n)
    if (!composite[n]) ++answers_[(n - primes_from) / primes_per_job];
}

void primes_key::check(std::span<int const> answers) const {
  check_answer(answers.size() == answers_.size(), "not one answer per job");
  for (std::size_t i = 0; i < answers.size(); ++i)
    check_answer(answers[i] == answers_[i],
                 fmt::format("job {} found {} primes instead of {}", i, answers[i], answers_[i]));
}

workload cpu_primes() {
  auto const threads = [](cell const& c) { return needs_threads(static_cast<double>(c.n)); };
  auto const processes = [](cell const& c) { return needs_processes(static_cast<double>(c.n)); };
  return {
      .id = "cpu.primes",
      .title = "count primes, jobs of about 1 ms in batches of N: jobs per second",
      .operation = "job",
      .figure = metric::per_second,
      .sizes = {16},
      .full_sizes = {2, 16, 128},
      .models = {{"inline", inline_run},
                 {"coro", coro_primes},
                 {"thread", thread_run, threads},
                 {"pool", pool_primes},
                 {"process", process_run, processes},
                 {"ppool", ppool_primes}},
  };
}

}  // namespace plait::lab
