// The model "ppool": plait::process_pool, awaited from tasks of one scheduler.
#include <vector>

#include <plait/process_pool.hpp>
#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task.hpp>
#include <plait/task_group.hpp>

#include "method/window.hpp"
#include "models/pools.hpp"
#include "workloads/heartbeat.hpp"
#include "workloads/primes.hpp"
#include "workloads/sha256.hpp"
#include "workloads/spawn.hpp"

namespace plait::lab {

namespace {

using block = std::vector<std::byte>;

process_pool_options with_workers(cell const& c) {
  process_pool_options options;
  options.workers = static_cast<unsigned>(c.workers);
  return options;
}

task<> prime_job(process_pool* pool, std::uint32_t i, int* answer) {
  *answer = co_await pool->run(primes_job, i);
}

task<> all_primes(task_group& group, process_pool* pool, std::span<int> answers) {
  for (std::uint32_t i = 0; i < answers.size(); ++i) group.spawn(prime_job, pool, i, &answers[i]);
  co_return;
}

task<rep_result> primes(cell c) {
  process_pool pool(with_workers(c));
  co_await pool.start();
  primes_key const key(c.n);
  std::vector<int> answers(static_cast<std::size_t>(c.n));
  window w(c);
  while (w.more()) {
    co_await with_task_group(all_primes, &pool, std::span(answers));
    key.check(answers);
    w.add(static_cast<double>(c.n));
  }
  rep_result const result = w.result();
  co_await pool.shutdown();
  co_return result;
}

digest digest_of(block const& data) { return sha256(data); }

// The block itself travels to the worker: that is what a process costs here.
task<> digest_job(process_pool* pool, block const* data, digest* answer) {
  *answer = co_await pool->run(digest_of, *data);
}

task<> all_digests(task_group& group, process_pool* pool, std::span<block const> blocks,
                   std::span<digest> digests) {
  for (std::size_t i = 0; i < digests.size(); ++i)
    group.spawn(digest_job, pool, &blocks[i], &digests[i]);
  co_return;
}

task<rep_result> digests(cell c) {
  process_pool pool(with_workers(c));
  co_await pool.start();
  sha256_blocks const source(c.n, c.seed);
  std::vector<block> blocks;
  for (long i = 0; i < c.n; ++i) {
    auto const bytes = source.block(i);
    blocks.emplace_back(bytes.begin(), bytes.end());
  }
  std::vector<digest> answers(static_cast<std::size_t>(c.n));
  window w(c);
  while (w.more()) {
    co_await with_task_group(all_digests, &pool, std::span<block const>(blocks),
                             std::span(answers));
    source.check(answers);
    w.add(static_cast<double>(c.n) * sha256_blocks::block_bytes);
  }
  rep_result const result = w.result();
  co_await pool.shutdown();
  co_return result;
}

task<> keep_busy(process_pool* pool, heartbeat* beats, bool const* over) {
  while (!*over) {
    int const answer = co_await pool->run(heartbeat_job);
    beats->job_done(answer);
  }
}

task<> tick(task_group& group, process_pool* pool, int workers, heartbeat* beats, bool* over) {
  for (int i = 0; i < workers; ++i) group.spawn(keep_busy, pool, beats, over);
  while (beats->more()) {
    co_await sleep_until(time_point(std::chrono::nanoseconds(beats->next_due())));
    beats->beat();
  }
  *over = true;
}

task<rep_result> beside_jobs(cell c) {
  process_pool pool(with_workers(c));
  co_await pool.start();
  heartbeat beats(c);
  bool over = false;
  co_await with_task_group(tick, &pool, c.workers, &beats, &over);
  rep_result const result = beats.result();
  co_await pool.shutdown();
  co_return result;
}

int add_one(int count) { return count + 1; }

task<rep_result> round_trips(cell c) {
  process_pool pool(with_workers(c));
  co_await pool.start();
  window w(c);
  long expected = 0;
  long ran = 0;
  while (w.more()) {
    for (int i = 0; i < 16; ++i) {
      int const answer = co_await pool.run(add_one, i);
      ran += answer == i + 1 ? 1 : 0;
    }
    expected += 16;
    w.add(16);
  }
  rep_result const result = finish_spawns(w, expected, ran);
  co_await pool.shutdown();
  co_return result;
}

}  // namespace

rep_result ppool_primes(cell const& c) {
  return plait::run([&] { return primes(c); });
}
rep_result ppool_sha256(cell const& c) {
  return plait::run([&] { return digests(c); });
}
rep_result ppool_heartbeat(cell const& c) {
  return plait::run([&] { return beside_jobs(c); });
}
rep_result ppool_spawn(cell const& c) {
  return plait::run([&] { return round_trips(c); });
}

}  // namespace plait::lab
