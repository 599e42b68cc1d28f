#include "workloads/memory.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "contenders/contenders.hpp"
#include "method/window.hpp"
#include "models/coro.hpp"
#include "workloads/units.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

// Spins politely: a unit that has said it is there is about to wait, and its stack is touched.
void await_count(std::atomic<long> const& count, long goal) {
  while (count.load() < goal) ::usleep(200);
  ::usleep(2000);
}

rep_result thread_run(cell const& c) {
  std::atomic<long> there = 0;
  std::atomic<int> open = 0;
  std::atomic<long> released = 0;
  std::vector<std::jthread> threads;
  threads.reserve(static_cast<std::size_t>(c.n));
  memory_book book(c);
  for (long i = 0; i < c.n; ++i)
    threads.emplace_back([&] {
      there.fetch_add(1);
      open.wait(0);
      released.fetch_add(1);
    });
  await_count(there, c.n);
  book.parked();
  open = 1;
  open.notify_all();
  threads.clear();
  return book.result(released.load());
}

// The children read from a pipe until its only writer, the parent, closes it.
rep_result process_run(cell const& c) {
  int ends[2];
  if (::pipe(ends) != 0) throw_errno("pipe");
  shared_array<std::atomic<long>> counts(2);
  std::atomic<long>& there = counts[0];
  std::atomic<long>& released = counts[1];
  std::vector<pid_t> children;
  children.reserve(static_cast<std::size_t>(c.n));
  memory_book book(c);
  for (long i = 0; i < c.n; ++i)
    children.push_back(fork_child([&] {
      ::close(ends[1]);
      there.fetch_add(1);
      char byte = 0;
      if (::read(ends[0], &byte, 1) == 0) released.fetch_add(1);
    }));
  await_count(there, c.n);
  book.parked();
  ::close(ends[1]);
  for (pid_t const child : children) reap_child(child);
  ::close(ends[0]);
  return book.result(released.load());
}

}  // namespace

memory_book::memory_book(cell const& c)
    : units_(c.n), before_(memory_now()), usage_before_(usage_now()), began_(now_ns()) {}

void memory_book::parked() {
  parked_ = now_ns();
  after_ = memory_now();
}

rep_result memory_book::result(long released) const {
  check_answer(released == units_, fmt::format("{} of {} units came back", released, units_));
  auto const n = static_cast<double>(units_);
  rep_result r;
  r.ops = n;
  r.wall_s = static_cast<double>(parked_ - began_) / 1e9;
  r.used = usage_now() - usage_before_;
  r.memory = unit_memory{(after_.rss - before_.rss) / n,
                         (after_.pss - before_.pss) / n,
                         (after_.page_tables - before_.page_tables) / n,
                         (after_.kernel_stacks - before_.kernel_stacks) / n,
                         (after_.slab - before_.slab) / n,
                         (before_.available - after_.available) / n};
  r.value = r.memory->system();
  return r;
}

workload cost_memory() {
  auto const threads = [](cell const& c) { return needs_threads(static_cast<double>(c.n)); };
  auto const processes = [](cell const& c) { return needs_processes(static_cast<double>(c.n)); };
  return {
      .id = "cost.memory",
      .title = "N units that wait: memory of each, in the process and in the kernel",
      .operation = "unit",
      .figure = metric::bytes_per_unit,
      .sizes = {10'000},
      .full_sizes = {1'000, 10'000, 100'000},
      .models = {{"coro", coro_memory},
                 {"thread", thread_run, threads},
                 {"process", process_run, processes},
                 {"asio", asio_memory}},
  };
}

}  // namespace plait::lab
