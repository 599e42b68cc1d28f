// The model "coro" where the core is enough: no sockets, no files.
#include <vector>

#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task.hpp>
#include <plait/task_group.hpp>

#include "method/window.hpp"
#include "models/coro.hpp"
#include "workloads/heartbeat.hpp"
#include "workloads/memory.hpp"
#include "workloads/primes.hpp"
#include "workloads/sha256.hpp"
#include "workloads/sleepers.hpp"
#include "workloads/spawn.hpp"

namespace plait::lab {

namespace {

task<> sleeper(std::uint64_t* took) {
  std::uint64_t const began = now_ns();
  co_await sleep_for(std::chrono::nanoseconds(sleeper_ns));
  *took = now_ns() - began;
}

task<> all_sleep(task_group& group, std::span<std::uint64_t> took) {
  for (std::uint64_t& t : took) group.spawn(sleeper, &t);
  co_return;
}

task<rep_result> sleepers(cell c) {
  sleeper_book book(c);
  while (book.more()) {
    co_await with_task_group(all_sleep, book.took());
    book.batch_done();
  }
  co_return book.result();
}

task<> prime_job(std::uint32_t i, int* answer) {
  *answer = primes_job(i);
  co_return;
}

task<> all_primes(task_group& group, std::span<int> answers) {
  for (std::uint32_t i = 0; i < answers.size(); ++i) group.spawn(prime_job, i, &answers[i]);
  co_return;
}

task<rep_result> primes(cell c) {
  primes_key const key(c.n);
  std::vector<int> answers(static_cast<std::size_t>(c.n));
  window w(c);
  while (w.more()) {
    co_await with_task_group(all_primes, std::span(answers));
    key.check(answers);
    w.add(static_cast<double>(c.n));
  }
  co_return w.result();
}

task<> digest_job(std::span<std::byte const> block, digest* answer) {
  *answer = sha256(block);
  co_return;
}

task<> all_digests(task_group& group, sha256_blocks const* blocks, std::span<digest> digests) {
  for (std::size_t i = 0; i < digests.size(); ++i)
    group.spawn(digest_job, blocks->block(static_cast<long>(i)), &digests[i]);
  co_return;
}

task<rep_result> digests(cell c) {
  sha256_blocks const blocks(c.n, c.seed);
  std::vector<digest> answers(static_cast<std::size_t>(c.n));
  window w(c);
  while (w.more()) {
    co_await with_task_group(all_digests, &blocks, std::span(answers));
    blocks.check(answers);
    w.add(static_cast<double>(c.n) * sha256_blocks::block_bytes);
  }
  co_return w.result();
}

// The jobs run on the loop itself, one for each of its turns.
task<> blocking_jobs(heartbeat* beats, bool const* over) {
  while (!*over) {
    beats->job_done(heartbeat_job());
    co_await yield();
  }
}

task<> tick(task_group& group, heartbeat* beats, bool* over) {
  group.spawn(blocking_jobs, beats, over);
  while (beats->more()) {
    auto const due = std::chrono::nanoseconds(beats->next_due());
    co_await sleep_until(time_point(due));
    beats->beat();
  }
  *over = true;
}

task<rep_result> beside_blocking_jobs(cell c) {
  heartbeat beats(c);
  bool over = false;
  co_await with_task_group(tick, &beats, &over);
  co_return beats.result();
}

task<> unit(long* ran) {
  ++*ran;
  co_return;
}

task<> spawn_and_join(task_group& group, window* w, long* expected, long* ran) {
  constexpr int batch = 1024;
  while (w->more()) {
    for (int i = 0; i < batch; ++i) {
      auto const handle = group.spawn(unit, ran);
      co_await handle;
    }
    *expected += batch;
    w->add(batch);
  }
}

task<rep_result> spawns(cell c) {
  window w(c);
  long expected = 0;
  long ran = 0;
  co_await with_task_group(spawn_and_join, &w, &expected, &ran);
  co_return finish_spawns(w, expected, ran);
}

task<> await_units(window* w, long* expected, long* ran) {
  constexpr int batch = 4096;
  while (w->more()) {
    for (int i = 0; i < batch; ++i) co_await unit(ran);
    *expected += batch;
    w->add(batch);
  }
}

task<rep_result> awaits(cell c) {
  window w(c);
  long expected = 0;
  long ran = 0;
  co_await await_units(&w, &expected, &ran);
  co_return finish_spawns(w, expected, ran);
}

task<> partner(bool const* over, long* ran) {
  while (!*over) {
    ++*ran;
    co_await yield();
  }
}

// Its partner runs once between two of its own turns.
task<> take_turns(task_group& group, window* w, long* expected, long* ran) {
  constexpr int batch = 1024;
  bool over = false;
  group.spawn(partner, &over, ran);
  co_await yield();
  *ran = 0;
  while (w->more()) {
    for (int i = 0; i < batch; ++i) {
      ++*ran;
      co_await yield();
    }
    *expected += 2 * batch;
    w->add(2 * batch);
  }
  over = true;
  co_await group.join();
}

task<rep_result> yields(cell c) {
  window w(c);
  long expected = 0;
  long ran = 0;
  co_await with_task_group(take_turns, &w, &expected, &ran);
  co_return finish_spawns(w, expected, ran);
}

// Waits until the group is cancelled.
task<> parked(long* released) {
  try {
    co_await sleep_forever();
  } catch (cancelled const&) {
    ++*released;
    throw;
  }
}

task<> park_all(task_group& group, long n, memory_book* book, long* released) {
  for (long i = 0; i < n; ++i) group.spawn(parked, released);
  co_await sleep_for(std::chrono::milliseconds(1));
  book->parked();
  group.cancel("measured");
}

task<rep_result> memory(cell c) {
  memory_book book(c);
  long released = 0;
  co_await with_task_group(park_all, c.n, &book, &released);
  co_return book.result(released);
}

template <class Body>
rep_result run_cell(Body body, cell const& c) {
  return plait::run([&] { return body(c); });
}

}  // namespace

rep_result coro_sleepers(cell const& c) { return run_cell(sleepers, c); }
rep_result coro_primes(cell const& c) { return run_cell(primes, c); }
rep_result coro_sha256(cell const& c) { return run_cell(digests, c); }
rep_result coro_heartbeat(cell const& c) { return run_cell(beside_blocking_jobs, c); }
rep_result coro_spawn(cell const& c) { return run_cell(spawns, c); }
rep_result coro_await(cell const& c) { return run_cell(awaits, c); }
rep_result coro_yield(cell const& c) { return run_cell(yields, c); }
rep_result coro_memory(cell const& c) { return run_cell(memory, c); }

}  // namespace plait::lab
