#include <algorithm>
#include <ctime>
#include <vector>

#include <fmt/format.h>

#include "contenders/contenders.hpp"
#include "method/window.hpp"
#include "models/coro.hpp"
#include "workloads/sleepers.hpp"
#include "workloads/units.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

std::uint64_t sleep_and_time() {
  std::uint64_t const began = now_ns();
  timespec left{0, static_cast<long>(sleeper_ns)};
  while (::nanosleep(&left, &left) != 0) {
  }
  return now_ns() - began;
}

rep_result with_threads(cell const& c) {
  return run_sleepers(c, [&](std::span<std::uint64_t> took) {
    run_threads(c.n, [&](long i) { took[static_cast<std::size_t>(i)] = sleep_and_time(); });
  });
}

rep_result with_processes(cell const& c) {
  return run_sleepers(c, [&](std::span<std::uint64_t> took) {
    run_processes(c.n, [&](long i) { took[static_cast<std::size_t>(i)] = sleep_and_time(); });
  });
}

}  // namespace

sleeper_book::sleeper_book(cell const& c) : window_(c), took_(static_cast<std::size_t>(c.n)) {}

bool sleeper_book::more() {
  std::fill(took_.items().begin(), took_.items().end(), 0);
  return window_.more();
}

void sleeper_book::batch_done() {
  for (std::uint64_t const t : took_.items()) {
    check_answer(t >= sleeper_ns, fmt::format("a sleeper woke after {} us", t / 1000));
    if (window_.counting()) latency_.add(t);
  }
  window_.add(static_cast<double>(took_.items().size()));
}

rep_result sleeper_book::result() const {
  rep_result r = window_.result();
  r.latency = latency_;
  return r;
}

rep_result run_sleepers(cell const& c, std::function<void(std::span<std::uint64_t>)> const& batch) {
  sleeper_book book(c);
  while (book.more()) {
    batch(book.took());
    book.batch_done();
  }
  return book.result();
}

workload io_sleepers() {
  auto const threads = [](cell const& c) { return needs_threads(static_cast<double>(c.n)); };
  auto const processes = [](cell const& c) { return needs_processes(static_cast<double>(c.n)); };
  return {
      .id = "io.sleepers",
      .title = "tasks that sleep 100 ms, all at once: finished per second",
      .operation = "wait",
      .figure = metric::per_second,
      .sizes = {1'000, 10'000},
      .full_sizes = {10, 100, 1'000, 10'000, 100'000},
      .models = {{"coro", coro_sleepers, nullptr, true},
                 {"thread", with_threads, threads},
                 {"process", with_processes, processes},
                 {"asio", asio_sleepers}},
  };
}

}  // namespace plait::lab
