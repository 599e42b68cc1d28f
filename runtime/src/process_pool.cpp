#include <plait/process_pool.hpp>

#include <plait/thread_pool.hpp>

#include "pool_state.hpp"
#include "process_role.hpp"

#include <stdexcept>

namespace plait {

namespace {

scheduler& scheduler_of_this_thread() {
  if (scheduler* const s = scheduler::current_or_null()) return *s;
  throw std::logic_error(
      "process_pool: no scheduler runs on this thread; make the pool in a task that plait::run runs");
}

process_pool_options checked(process_pool_options options) {
  if (!detail::may_start_processes()) {
    throw std::logic_error(
        "process_pool: the workers are this program started again, so the first statement of main must "
        "be\n    return plait::run(argc, argv, your_main_task);");
  }
  if (options.workers == 0) options.workers = usable_cpus();
  if (options.window == 0 || options.window > detail::control_page::slots / 2) {
    throw std::invalid_argument("process_pool: the window must be from 1 to " +
                                std::to_string(detail::control_page::slots / 2));
  }
  constexpr std::size_t length_max = 0xffff'ffff - detail::frame_header_bytes;
  if (options.message_bytes_max > length_max) options.message_bytes_max = length_max;
  return options;
}

}  // namespace

process_pool::process_pool(process_pool_options options)
    : state_(std::make_shared<detail::process_pool_state>(checked(options), scheduler_of_this_thread())) {}

process_pool::~process_pool() { state_->abandon(); }

task<> process_pool::start() { return detail::process_pool_state::start(state_); }
task<> process_pool::shutdown() { return detail::process_pool_state::shutdown(state_); }
process_pool_stats process_pool::stats() const noexcept { return state_->stats(); }
std::vector<pid_t> process_pool::worker_pids() const { return state_->worker_pids(); }
pid_t process_pool::zygote_pid() const noexcept { return state_->zygote_pid(); }

process_operation::process_operation(process_pool& pool, detail::job_function const& function)
    : pool_(pool.state_), function_(&function) {
  message_.room(detail::frame_header_bytes);
  message_.add(detail::frame_header_bytes);
}

std::size_t process_operation::message_bytes_max() const noexcept {
  return pool_->options().message_bytes_max;
}

bool process_operation::start(detail::task_state& task) { return pool_->submit(*this, task); }

bool process_operation::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info();
  into.what = "job of a process pool";
  into.object = pool_.get();
  return true;
}

void process_operation::cancel() noexcept { pool_->cancel(*this); }

namespace detail {

process_pool_state::process_pool_state(process_pool_options const& options, scheduler& home)
    : options_(options), home_(home), sys_(home.sys()) {
  workers_.reserve(options_.workers);
  for (unsigned i = 0; i < options_.workers; ++i) {
    workers_.push_back(std::make_unique<pool_worker>(static_cast<int>(i)));
  }
}

task<> process_pool_state::start(shared pool) {
  if (pool->closed_) throw process_pool_closed();
  pool->ensure_started();
  while (pool->broken_ == nullptr && !pool->closed_ && pool->stats().workers < pool->workers_.size()) {
    pool->news_.reset();
    co_await pool->news_.wait();
  }
  if (pool->broken_ != nullptr) std::rethrow_exception(pool->broken_);
  if (pool->closed_) throw process_pool_closed();
}

task<> process_pool_state::shutdown(shared pool) {
  pool->closed_ = true;
  pool->news_.set();
  if (!pool->started_) co_return;
  pool->look_for_end();
  co_await pool->ended_.wait();
}

// The pool's handle is gone, perhaps in a process that the program has forked, where nothing of this
// is its own.
void process_pool_state::abandon() noexcept {
  if (::getpid() != owner_) return;
  closed_ = true;
  news_.set();
  for (auto const& w : workers_) kill(*w);
  fail_everything(std::make_exception_ptr(process_pool_closed()));
  if (group_ != nullptr) group_->cancel("the process pool was destroyed");
}

process_pool_stats process_pool_state::stats() const noexcept {
  process_pool_stats s;
  s.queued = queued_;
  s.restarts = restarts_;
  for (auto const& w : workers_) {
    s.workers += w->is_ready() ? 1 : 0;
    s.running += w->load;
  }
  return s;
}

std::vector<pid_t> process_pool_state::worker_pids() const {
  std::vector<pid_t> pids;
  for (auto const& w : workers_) {
    if (w->is_ready()) pids.push_back(w->pid);
  }
  return pids;
}

}  // namespace detail
}  // namespace plait
