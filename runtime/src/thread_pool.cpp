#include <plait/thread_pool.hpp>

#include <plait/detail/spin.hpp>

#include "job_exchange.hpp"
#include "named_threads.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <system_error>

#include <pthread.h>

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

struct pool_sync : detail::std_atomics {
  using short_lock = plait::short_lock;
  using mutex = std::mutex;
  using condition_variable = std::condition_variable;
};

// The pool whose thread this is.
thread_local void const* pool_of_this_thread = nullptr;

}  // namespace

class thread_pool::impl {
 public:
  impl(thread_pool_options const& options, system_calls& sys);
  ~impl();

  unsigned size() const noexcept { return threads_.size(); }
  void submit(pool_job& job) noexcept { jobs_.submit(job); }
  bool try_withdraw(pool_job& job) noexcept { return jobs_.withdraw(job); }
  bool may_spin() const noexcept { return jobs_.searchers_max() != 0; }
  bool is_this_thread() const noexcept { return pool_of_this_thread == this; }

 private:
  void serve() noexcept;

  job_exchange<pool_job, pool_sync> jobs_;
  detail::named_threads threads_;
};

thread_pool::impl::impl(thread_pool_options const& options, system_calls& sys) {
  unsigned const cpus = usable_cpus();
  unsigned const wanted = std::min(options.threads != 0 ? options.threads : cpus, 0x7fffu);
  // None on one CPU, where looking round only keeps the others from running.
  jobs_.limit_searchers(cpus / 2);
  int const error = threads_.start(0, wanted, options.name, sys, [this](unsigned) noexcept { serve(); });
  if (threads_.size() == 0) {
    throw std::system_error(error, std::generic_category(),
                            "thread_pool: no thread can be started; raise the limit of tasks "
                            "(ulimit -u, the control group's pids.max) or free memory");
  }
}

thread_pool::impl::~impl() {
  jobs_.stop();
  threads_.join();
}

void thread_pool::impl::serve() noexcept {
  pool_of_this_thread = this;
  detail::spin_budget spin;
  while (pool_job* const job = jobs_.next(spin)) job->run(*job);
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

bool thread_operation::start(detail::task_state& task) {
  home_ = &scheduler::current();
  by_driver_ = home_->io().runs_jobs();
  if (by_driver_) [[unlikely]] home_->io().run_job_later(*this);
  begin(task);
  pool_->awaited_.fetch_add(1, std::memory_order_relaxed);
  if (by_driver_) [[unlikely]] return true;
  home_->expected_posts += pool_->impl_->may_spin() ? 1 : 0;
  pool_->submit(*this);
  return true;
}

bool thread_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info();
  into.what = "job of a thread pool";
  into.object = pool_;
  return true;
}

void thread_operation::cancel() noexcept {
  if (cancel_asked_) return;
  cancel_asked_ = true;
  bool const withdrawn = by_driver_ ? home_->io().withdraw_job(*this) : pool_->try_withdraw(*this);
  if (!withdrawn) return ask_to_stop();
  forget();
  complete(status::cancelled);
}

void thread_operation::forget() noexcept {
  if (!by_driver_) home_->expected_posts -= pool_->impl_->may_spin() ? 1 : 0;
  pool_->awaited_.fetch_sub(1, std::memory_order_release);
}

void thread_operation::come_home(remote_call& call) noexcept {
  auto& op = static_cast<thread_operation&>(call);
  op.forget();
  op.complete(op.stopped_ && op.cancel_asked_ ? status::cancelled : status::done);
}

}  // namespace plait
