#include <plait/thread_pool.hpp>

#include <plait/detail/spin.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

#include <pthread.h>
#include <signal.h>

namespace plait {

namespace {

// Spins for a moment before it sleeps: what it guards is a handful of instructions.
class short_lock {
 public:
  void lock() noexcept { ::pthread_mutex_lock(&mutex_); }
  void unlock() noexcept { ::pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_ = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
};

// The pool whose thread this is.
thread_local void const* pool_of_this_thread = nullptr;

}  // namespace

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
class thread_pool::impl {
 public:
  impl(thread_pool_options const& options, system_calls& sys);
  ~impl();

  unsigned size() const noexcept { return static_cast<unsigned>(threads_.size()); }
  void submit(pool_job& job) noexcept;
  bool try_withdraw(pool_job& job) noexcept;
  bool may_spin() const noexcept { return searchers_max_ != 0; }
  bool is_this_thread() const noexcept { return pool_of_this_thread == this; }

 private:
  static constexpr std::uint32_t one_searching = 1u << 16;
  static constexpr std::uint32_t one_sleeping = 1;
  static constexpr std::uint32_t searching(std::uint32_t word) noexcept { return word >> 16; }
  static constexpr std::uint32_t sleeping(std::uint32_t word) noexcept { return word & 0xffff; }

  struct start {
    impl* pool;
    std::string name;
  };

  static void* enter(void* argument) noexcept;
  void start_threads(unsigned count, std::string_view name, system_calls& sys);
  void stop() noexcept;
  void serve() noexcept;
  pool_job* take() noexcept;
  pool_job* find(detail::spin_budget& spin) noexcept;
  bool begin_search() noexcept;
  void end_search() noexcept;
  bool sleep() noexcept;
  bool wake_up_again() noexcept;
  void wake_one() noexcept;
  void move_arrivals() noexcept;
  bool has_work() const noexcept {
    return arrived_.load(std::memory_order_seq_cst) != nullptr ||
           listed_.load(std::memory_order_seq_cst) != 0;
  }

  alignas(64) std::atomic<pool_job*> arrived_{nullptr};

  alignas(64) std::atomic<std::uint32_t> idle_{0};
  std::uint32_t searchers_max_ = 0;

  alignas(64) short_lock lock_;
  pool_job* first_ = nullptr;
  pool_job* last_ = nullptr;
  std::atomic<long> listed_{0};  // written under the lock

  // For sleeping alone. A wake-up is a token that any sleeper may take.
  alignas(64) std::mutex sleep_mutex_;
  std::condition_variable sleep_condition_;
  std::uint32_t tokens_ = 0;
  bool stopping_ = false;

  std::vector<pthread_t> threads_;
};

thread_pool::impl::impl(thread_pool_options const& options, system_calls& sys) {
  unsigned const cpus = usable_cpus();
  unsigned const wanted = std::min(options.threads != 0 ? options.threads : cpus, 0x7fffu);
  searchers_max_ = cpus / 2;  // 0 on one CPU, where looking round only keeps the others from running
  start_threads(wanted, options.name, sys);
}

void thread_pool::impl::start_threads(unsigned count, std::string_view name, system_calls& sys) {
  // Signals belong to the program's own threads.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  threads_.reserve(count);
  for (unsigned i = 0; i < count && error == 0; ++i) {
    auto plan = std::make_unique<start>(start{this, std::string(name) + "-" + std::to_string(i)});
    pthread_t made{};
    error = -sys.create_thread(made, &enter, plan.get());
    if (error != 0) break;
    static_cast<void>(plan.release());
    threads_.push_back(made);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (threads_.empty()) {
    throw std::system_error(error, std::generic_category(),
                            "thread_pool: no thread can be started; raise the limit of tasks "
                            "(ulimit -u, the control group's pids.max) or free memory");
  }
}

thread_pool::impl::~impl() { stop(); }

void thread_pool::impl::stop() noexcept {
  {
    std::lock_guard const guard(sleep_mutex_);
    stopping_ = true;
  }
  sleep_condition_.notify_all();
  for (pthread_t const t : threads_) ::pthread_join(t, nullptr);
}

void* thread_pool::impl::enter(void* argument) noexcept {
  std::unique_ptr<start> const plan(static_cast<start*>(argument));
  plan->name.resize(std::min<std::size_t>(plan->name.size(), 15));  // the kernel's limit
  ::pthread_setname_np(::pthread_self(), plan->name.c_str());
  pool_of_this_thread = plan->pool;
  plan->pool->serve();
  return nullptr;
}

void thread_pool::impl::serve() noexcept {
  detail::spin_budget spin;
  for (;;) {
    pool_job* job = take();
    if (job == nullptr) job = find(spin);
    if (job == nullptr) return;
    job->run(*job);
  }
}

void thread_pool::impl::submit(pool_job& job) noexcept {
  job.queued = true;
  pool_job* head = arrived_.load(std::memory_order_relaxed);
  do {
    job.next = head;
  } while (!arrived_.compare_exchange_weak(head, &job, std::memory_order_seq_cst,
                                           std::memory_order_relaxed));
  wake_one();
}

// Wakes a sleeper if there is one and nobody searches. Counts it as searching at once, so that the
// next submitter does not wake another for the same job.
void thread_pool::impl::wake_one() noexcept {
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

// Under the lock.
void thread_pool::impl::move_arrivals() noexcept {
  if (arrived_.load(std::memory_order_relaxed) == nullptr) return;
  pool_job* const newest = arrived_.exchange(nullptr, std::memory_order_seq_cst);
  if (newest == nullptr) return;
  long count = 0;
  pool_job* oldest = nullptr;
  for (pool_job* job = newest; job != nullptr; ++count) {
    pool_job* const older = job->next;
    job->next = oldest;
    if (oldest != nullptr) oldest->previous = job;
    oldest = job;
    job = older;
  }
  oldest->previous = last_;
  (last_ != nullptr ? last_->next : first_) = oldest;
  last_ = newest;
  listed_.store(listed_.load(std::memory_order_relaxed) + count, std::memory_order_seq_cst);
}

pool_job* thread_pool::impl::take() noexcept {
  if (!has_work()) return nullptr;
  std::lock_guard const guard(lock_);
  if (first_ == nullptr) move_arrivals();
  pool_job* const job = first_;
  if (job == nullptr) return nullptr;
  first_ = job->next;
  (first_ != nullptr ? first_->previous : last_) = nullptr;
  job->queued = false;
  listed_.store(listed_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  return job;
}

bool thread_pool::impl::try_withdraw(pool_job& job) noexcept {
  std::lock_guard const guard(lock_);
  move_arrivals();
  if (!job.queued) return false;
  (job.previous != nullptr ? job.previous->next : first_) = job.next;
  (job.next != nullptr ? job.next->previous : last_) = job.previous;
  job.queued = false;
  listed_.store(listed_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  return true;
}

// The queue was empty: looks round, then sleeps. Null when the pool ends.
pool_job* thread_pool::impl::find(detail::spin_budget& spin) noexcept {
  bool searches = begin_search();
  for (;;) {
    if (searches) {
      auto const there = [this] { return has_work(); };
      if (searchers_max_ == 0 ? there() : spin.until(there)) {
        if (pool_job* const job = take()) {
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
bool thread_pool::impl::begin_search() noexcept {
  std::uint32_t word = idle_.load(std::memory_order_relaxed);
  do {
    if (searching(word) >= searchers_max_) return false;
  } while (!idle_.compare_exchange_weak(word, word + one_searching, std::memory_order_seq_cst));
  return true;
}

void thread_pool::impl::end_search() noexcept {
  std::uint32_t const before = idle_.fetch_sub(one_searching, std::memory_order_seq_cst);
  if (searching(before) == 1 && sleeping(before) != 0 && has_work()) wake_one();
}

// From sleeping, before it really sleeps, back to searching. False where all who count as sleeping
// have a token by now: one of these is this thread's.
bool thread_pool::impl::wake_up_again() noexcept {
  std::uint32_t word = idle_.load(std::memory_order_relaxed);
  do {
    if (sleeping(word) == 0) return false;
  } while (!idle_.compare_exchange_weak(word, word + one_searching - one_sleeping,
                                        std::memory_order_seq_cst));
  return true;
}

// True: woken, and counted as searching by whoever woke it. False: the pool ends and the queue is
// empty.
bool thread_pool::impl::sleep() noexcept {
  std::unique_lock guard(sleep_mutex_);
  sleep_condition_.wait(guard, [this] { return tokens_ != 0 || stopping_; });
  if (tokens_ != 0) {
    --tokens_;
    return true;
  }
  guard.unlock();
  return has_work() && wake_up_again();
}

char const* job_stopped::what() const noexcept {
  return "the job ended early because it was asked to stop";
}

thread_pool::thread_pool(thread_pool_options options, system_calls& sys)
    : impl_(std::make_unique<impl>(options, sys)) {}

thread_pool::~thread_pool() {
  PLAIT_CHECK(awaited_.load(std::memory_order_acquire) == 0,
              "a thread_pool was destroyed while a task awaits one of its jobs; let the pool outlive "
              "the task group whose tasks use it");
  PLAIT_CHECK(!impl_->is_this_thread(),
              "a thread_pool was destroyed by a job that runs on it; destroy it from another thread");
}

unsigned thread_pool::size() const noexcept { return impl_->size(); }
void thread_pool::submit(pool_job& job) noexcept { impl_->submit(job); }
bool thread_pool::try_withdraw(pool_job& job) noexcept { return impl_->try_withdraw(job); }

thread_operation::thread_operation(thread_pool& pool, pool_job::run_fn execute) noexcept
    : pool_job(execute), remote_call(&come_home), pool_(&pool) {}

thread_operation::thread_operation(thread_operation&& other) noexcept
    : operation(std::move(other)),
      pool_job(other.pool_job::run),
      remote_call(&come_home),
      pool_(other.pool_) {}

bool thread_operation::start(detail::task_state& task) noexcept {
  begin(task);
  home_ = &scheduler::current();
  pool_->awaited_.fetch_add(1, std::memory_order_relaxed);
  home_->expected_posts += pool_->impl_->may_spin() ? 1 : 0;
  pool_->submit(*this);
  return true;
}

void thread_operation::cancel() noexcept {
  if (cancel_asked_) return;
  cancel_asked_ = true;
  if (!pool_->try_withdraw(*this)) return ask_to_stop();
  forget();
  complete(status::cancelled);
}

void thread_operation::forget() noexcept {
  home_->expected_posts -= pool_->impl_->may_spin() ? 1 : 0;
  pool_->awaited_.fetch_sub(1, std::memory_order_release);
}

void thread_operation::come_home(remote_call& call) noexcept {
  auto& op = static_cast<thread_operation&>(call);
  op.forget();
  op.complete(op.stopped_ && op.cancel_asked_ ? status::cancelled : status::done);
}

}  // namespace plait
