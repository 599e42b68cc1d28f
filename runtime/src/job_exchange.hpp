// How jobs get from those who submit them to the threads of a pool, and how idle threads sleep.
//
// Jobs go onto a lock-free stack, newest on top; who takes a job moves all of the stack to the end
// of the list behind the lock. So submitting takes no lock and the order stays first in, first out.
//
// Which threads look for work is one word, {searching:16, sleeping:16}. A searching thread finds
// whatever was submitted before it stops searching, so a submitter wakes somebody only where nobody
// searches; and the last searcher that finds a job wakes the next one if more is queued. Lost
// wake-ups are excluded as in Dekker's protocol: the submitter writes the queue and then reads the
// word, the thread writes the word and then reads the queue, all of it sequentially consistent.
//
//    running --queue empty--> searching --found--> running
//                                 |  ^
//                    gives up     |  | woken (whoever wakes moves the count)
//                                 v  |
//                               sleeping
//
// A template so that tests/model/pool.cpp can check it; Sync gives atomics, locks and a condition.
#pragma once

#include <plait/detail/intrusive_stack.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>

namespace plait {

template <class Job, class Sync>
class job_exchange {
 public:
  // How many threads look round at most before they sleep. Before the first thread asks for a job.
  void limit_searchers(std::uint32_t most) noexcept { searchers_max_ = most; }
  std::uint32_t searchers_max() const noexcept { return searchers_max_; }

  // From any thread.
  void submit(Job& job) noexcept;
  // True: the job was still in the queue and is out of it. From any thread.
  bool withdraw(Job& job) noexcept;

  // For the pool's threads: the oldest job, waited for; null when the pool stops and the queue is
  // empty. `spin.until(condition)` looks round for a while.
  template <class Spin>
  Job* next(Spin& spin) noexcept {
    Job* const job = take();
    return job != nullptr ? job : find(spin);
  }
  void stop() noexcept;

 private:
  static constexpr std::uint32_t one_searching = 1u << 16;
  static constexpr std::uint32_t one_sleeping = 1;
  static constexpr std::uint32_t searching(std::uint32_t word) noexcept { return word >> 16; }
  static constexpr std::uint32_t sleeping(std::uint32_t word) noexcept { return word & 0xffff; }

  // The stack first: where that was emptied, its acquire pairs with the release of `take_all`, before
  // which move_arrivals has written listed_.
  bool has_work() const noexcept {
    return !arrived_.empty() || listed_.load(std::memory_order_relaxed) != 0;
  }

  Job* take() noexcept;
  template <class Spin>
  Job* find(Spin& spin) noexcept;
  bool begin_search() noexcept;
  void end_search() noexcept;
  bool sleep() noexcept;
  bool wake_up_again() noexcept;
  void wake_one() noexcept;
  void move_arrivals() noexcept;

  template <class T>
  using atomic = typename Sync::template atomic<T>;

  alignas(64) detail::intrusive_stack<Job, Sync> arrived_;

  alignas(64) atomic<std::uint32_t> idle_{0};
  std::uint32_t searchers_max_ = 0;

  alignas(64) typename Sync::short_lock lock_;
  Job* first_ = nullptr;
  Job* last_ = nullptr;
  // The list's length, and 1 more while jobs are on their way from the stack. Written under the lock.
  atomic<long> listed_{0};

  // For sleeping alone. A wake-up is a token that any sleeper may take.
  alignas(64) typename Sync::mutex sleep_mutex_;
  typename Sync::condition_variable sleep_condition_;
  std::uint32_t tokens_ = 0;
  bool stopping_ = false;
};

template <class Job, class Sync>
void job_exchange<Job, Sync>::submit(Job& job) noexcept {
  job.queued = true;
  arrived_.push(job);
  wake_one();
}

// Wakes a sleeper if there is one and nobody searches. Counts it as searching at once, so that the
// next submitter does not wake another for the same job.
template <class Job, class Sync>
void job_exchange<Job, Sync>::wake_one() noexcept {
  std::uint32_t word = idle_.load(std::memory_order_seq_cst);
  do {
    if (searching(word) != 0 || sleeping(word) == 0) return;
  } while (!idle_.compare_exchange_weak(word, word + one_searching - one_sleeping,
                                        std::memory_order_seq_cst));
  {
    std::lock_guard const guard(sleep_mutex_);
    ++tokens_;
  }
  sleep_condition_.notify_one();
}

// Under the lock. Who looks for work meanwhile must find some in one of the two places: that there will
// be jobs in the list is said before they leave the stack.
template <class Job, class Sync>
void job_exchange<Job, Sync>::move_arrivals() noexcept {
  if (arrived_.seems_empty()) return;
  long const before = listed_.load(std::memory_order_relaxed);
  listed_.store(before + 1, std::memory_order_relaxed);  // published by take_all
  Job* const newest = arrived_.take_all();
  long count = 0;
  Job* oldest = nullptr;
  for (Job* job = newest; job != nullptr; ++count) {
    Job* const older = job->next;
    job->next = oldest;
    if (oldest != nullptr) oldest->previous = job;
    oldest = job;
    job = older;
  }
  oldest->previous = last_;
  if (last_ != nullptr) {
    last_->next = oldest;
  } else {
    first_ = oldest;
  }
  last_ = newest;
  listed_.store(before + count, std::memory_order_relaxed);  // who sees the one above is content
}

template <class Job, class Sync>
Job* job_exchange<Job, Sync>::take() noexcept {
  if (!has_work()) return nullptr;
  std::lock_guard const guard(lock_);
  if (first_ == nullptr) move_arrivals();
  Job* const job = first_;
  if (job == nullptr) return nullptr;
  first_ = job->next;
  if (first_ != nullptr) {
    first_->previous = nullptr;
  } else {
    last_ = nullptr;
  }
  job->queued = false;
  listed_.store(listed_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  return job;
}

template <class Job, class Sync>
bool job_exchange<Job, Sync>::withdraw(Job& job) noexcept {
  std::lock_guard const guard(lock_);
  move_arrivals();
  if (!job.queued) return false;
  Job* const previous = job.previous;
  Job* const next = job.next;
  if (previous != nullptr) {
    previous->next = next;
  } else {
    first_ = next;
  }
  if (next != nullptr) {
    next->previous = previous;
  } else {
    last_ = previous;
  }
  job.queued = false;
  listed_.store(listed_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  return true;
}

// The queue was empty: looks round, then sleeps. Null when the pool ends.
template <class Job, class Sync>
template <class Spin>
Job* job_exchange<Job, Sync>::find(Spin& spin) noexcept {
  bool searches = begin_search();
  for (;;) {
    if (searches) {
      auto const there = [this] { return has_work(); };
      if (searchers_max_ == 0 ? there() : spin.until(there)) {
        if (Job* const job = take()) {
          end_search();
          return job;
        }
        continue;  // another thread was faster
      }
      idle_.fetch_add(one_sleeping - one_searching, std::memory_order_seq_cst);
    } else {
      idle_.fetch_add(one_sleeping, std::memory_order_seq_cst);
    }
    if (has_work() ? !wake_up_again() && !sleep() : !sleep()) return nullptr;
    searches = true;
    // Woken for a job: the look of `until` finds it at once.
  }
}

// False where enough threads search already.
template <class Job, class Sync>
bool job_exchange<Job, Sync>::begin_search() noexcept {
  std::uint32_t word = idle_.load(std::memory_order_relaxed);
  do {
    if (searching(word) >= searchers_max_) return false;
  } while (!idle_.compare_exchange_weak(word, word + one_searching, std::memory_order_seq_cst));
  return true;
}

template <class Job, class Sync>
void job_exchange<Job, Sync>::end_search() noexcept {
  std::uint32_t const before = idle_.fetch_sub(one_searching, std::memory_order_seq_cst);
  if (searching(before) == 1 && sleeping(before) != 0 && has_work()) wake_one();
}

// From sleeping, before it really sleeps, back to searching. False where all who count as sleeping
// have a token by now: one of these is this thread's.
template <class Job, class Sync>
bool job_exchange<Job, Sync>::wake_up_again() noexcept {
  std::uint32_t word = idle_.load(std::memory_order_relaxed);
  do {
    if (sleeping(word) == 0) return false;
  } while (!idle_.compare_exchange_weak(word, word + one_searching - one_sleeping,
                                        std::memory_order_seq_cst));
  return true;
}

// True: woken, and counted as searching by whoever woke it. False: the pool ends and the queue is
// empty.
template <class Job, class Sync>
bool job_exchange<Job, Sync>::sleep() noexcept {
  std::unique_lock guard(sleep_mutex_);
  sleep_condition_.wait(guard, [this] { return tokens_ != 0 || stopping_; });
  if (tokens_ != 0) {
    --tokens_;
    return true;
  }
  guard.unlock();
  return has_work() && wake_up_again();
}

template <class Job, class Sync>
void job_exchange<Job, Sync>::stop() noexcept {
  {
    std::lock_guard const guard(sleep_mutex_);
    stopping_ = true;
  }
  sleep_condition_.notify_all();
}

}  // namespace plait
