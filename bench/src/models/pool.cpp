// The model "pool": plait::thread_pool, awaited from tasks of one scheduler.
#include <vector>

#include <plait/run.hpp>
#include <plait/sleep.hpp>
#include <plait/task.hpp>
#include <plait/task_group.hpp>
#include <plait/thread_pool.hpp>

#include "method/window.hpp"
#include "models/pools.hpp"
#include "workloads/files.hpp"
#include "workloads/heartbeat.hpp"
#include "workloads/primes.hpp"
#include "workloads/sha256.hpp"
#include "workloads/spawn.hpp"

namespace plait::lab {

namespace {

thread_pool_options with_workers(cell const& c) {
  thread_pool_options options;
  options.threads = static_cast<unsigned>(c.workers);
  return options;
}

task<> prime_job(thread_pool* pool, std::uint32_t i, int* answer) {
  *answer = co_await pool->run(primes_job, i);
}

task<> all_primes(task_group& group, thread_pool* pool, std::span<int> answers) {
  for (std::uint32_t i = 0; i < answers.size(); ++i) group.spawn(prime_job, pool, i, &answers[i]);
  co_return;
}

task<rep_result> primes(cell c) {
  thread_pool pool(with_workers(c));
  primes_key const key(c.n);
  std::vector<int> answers(static_cast<std::size_t>(c.n));
  window w(c);
  while (w.more()) {
    co_await with_task_group(all_primes, &pool, std::span(answers));
    key.check(answers);
    w.add(static_cast<double>(c.n));
  }
  co_return w.result();
}

task<> digest_job(thread_pool* pool, std::span<std::byte const> block, digest* answer) {
  *answer = co_await pool->run(sha256, block);
}

task<> all_digests(task_group& group, thread_pool* pool, sha256_blocks const* blocks,
                   std::span<digest> digests) {
  for (std::size_t i = 0; i < digests.size(); ++i)
    group.spawn(digest_job, pool, blocks->block(static_cast<long>(i)), &digests[i]);
  co_return;
}

task<rep_result> digests(cell c) {
  thread_pool pool(with_workers(c));
  sha256_blocks const blocks(c.n, c.seed);
  std::vector<digest> answers(static_cast<std::size_t>(c.n));
  window w(c);
  while (w.more()) {
    co_await with_task_group(all_digests, &pool, &blocks, std::span(answers));
    blocks.check(answers);
    w.add(static_cast<double>(c.n) * sha256_blocks::block_bytes);
  }
  co_return w.result();
}

task<> keep_busy(thread_pool* pool, heartbeat* beats, bool const* over) {
  while (!*over) {
    int const answer = co_await pool->run(heartbeat_job);
    beats->job_done(answer);
  }
}

task<> tick(task_group& group, thread_pool* pool, int workers, heartbeat* beats, bool* over) {
  for (int i = 0; i < workers; ++i) group.spawn(keep_busy, pool, beats, over);
  while (beats->more()) {
    co_await sleep_until(time_point(std::chrono::nanoseconds(beats->next_due())));
    beats->beat();
  }
  *over = true;
}

task<rep_result> beside_jobs(cell c) {
  thread_pool pool(with_workers(c));
  heartbeat beats(c);
  bool over = false;
  co_await with_task_group(tick, &pool, c.workers, &beats, &over);
  co_return beats.result();
}

task<rep_result> round_trips(cell c) {
  thread_pool pool(with_workers(c));
  window w(c);
  long expected = 0;
  long ran = 0;
  while (w.more()) {
    for (int i = 0; i < 16; ++i) co_await pool.run([](long* count) { ++*count; }, &ran);
    expected += 16;
    w.add(16);
  }
  co_return finish_spawns(w, expected, ran);
}

void read_one(file_corpus const* corpus, std::size_t i) {
  static thread_local std::vector<std::byte> buffer(file_corpus::file_bytes);
  read_file_blocking(*corpus, i, buffer);
}

// n tasks share the files; the reads wait in the pool's threads.
task<> reader(thread_pool* pool, file_corpus const* corpus, std::size_t* next) {
  while (*next < file_corpus::files) {
    std::size_t const i = (*next)++;
    co_await pool->run(read_one, corpus, i);
  }
}

task<> start_readers(task_group& group, thread_pool* pool, file_corpus const* corpus,
                     std::size_t* next, long n) {
  for (long i = 0; i < n; ++i) group.spawn(reader, pool, corpus, next);
  co_return;
}

task<rep_result> files(cell c) {
  thread_pool pool(with_workers(c));
  file_corpus const corpus;
  window w(c);
  while (w.more()) {
    std::size_t next = 0;
    co_await with_task_group(start_readers, &pool, &corpus, &next, c.n);
    w.add(file_corpus::files);
  }
  co_return w.result();
}

}  // namespace

rep_result pool_files(cell const& c) {
  return plait::run([&] { return files(c); });
}
rep_result pool_primes(cell const& c) {
  return plait::run([&] { return primes(c); });
}
rep_result pool_sha256(cell const& c) {
  return plait::run([&] { return digests(c); });
}
rep_result pool_heartbeat(cell const& c) {
  return plait::run([&] { return beside_jobs(c); });
}
rep_result pool_spawn(cell const& c) {
  return plait::run([&] { return round_trips(c); });
}

}  // namespace plait::lab
