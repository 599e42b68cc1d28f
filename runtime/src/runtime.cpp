#include <plait/runtime.hpp>

#include <plait/thread_pool.hpp>

#include "named_threads.hpp"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <vector>

namespace plait {

namespace {

// Whether there were background tasks anywhere, and who has not answered yet.
struct close_pass {
  unsigned missing = 0;
  bool had_tasks = false;
  bool complete = false;
};

// One scheduler and what its thread is asked to do: close the background tasks, or end.
class worker {
 public:
  explicit worker(driver_options const& options) : scheduler_(make_driver(options)) {
    scheduler_.others_send_tasks = true;
  }

  scheduler& sched() noexcept { return scheduler_; }

  // On its thread, until it is asked to end.
  void serve() {
    scheduler_binding const bound(scheduler_);
    while (!ending_) {
      scheduler_.run_until(asked_);
      asked_ = false;
      if (pass_ != nullptr) close();
    }
  }

  // From the thread of `home`, which gets the answer.
  void ask_to_close(scheduler& home, close_pass& pass) noexcept {
    home_ = &home;
    answer_.pass = &pass;
    scheduler_.post(ask_);
  }
  void ask_to_end() noexcept { scheduler_.post(end_); }

 private:
  struct own_call : remote_call {
    own_call(worker& w, run_fn what) noexcept : remote_call(what), of(w) {}
    worker& of;
  };
  struct answer_call : remote_call {
    answer_call() noexcept : remote_call(&arrive) {}
    static void arrive(remote_call& call) noexcept {
      auto& answer = static_cast<answer_call&>(call);
      answer.pass->had_tasks |= answer.had_tasks;
      answer.pass->complete = --answer.pass->missing == 0;
    }
    close_pass* pass = nullptr;
    bool had_tasks = false;
  };

  static void arrive_ask(remote_call& call) noexcept {
    worker& w = static_cast<own_call&>(call).of;
    w.pass_ = w.answer_.pass;
    w.asked_ = true;
  }
  static void arrive_end(remote_call& call) noexcept {
    worker& w = static_cast<own_call&>(call).of;
    w.ending_ = true;
    w.asked_ = true;
  }

  void close() {
    pass_ = nullptr;
    answer_.had_tasks = !scheduler_.background().empty();
    scheduler_.close_background();
    home_->post(answer_);
  }

  scheduler scheduler_;
  bool asked_ = false;
  bool ending_ = false;
  close_pass* pass_ = nullptr;
  scheduler* home_ = nullptr;
  answer_call answer_;
  own_call ask_{*this, &arrive_ask};
  own_call end_{*this, &arrive_end};
};

}  // namespace

class runtime::impl {
 public:
  explicit impl(runtime_options const& options);
  ~impl();

  unsigned size() const noexcept { return static_cast<unsigned>(schedulers_.size()); }
  scheduler& at(unsigned number) noexcept { return *schedulers_[number]; }
  scheduler& next() noexcept { return at(turn_.fetch_add(1, std::memory_order_relaxed) % size()); }
  void close_background() noexcept;

 private:
  void serve(unsigned number) noexcept;
  void end_threads() noexcept;
  bool close_once();

  runtime_options options_;
  scheduler own_;
  std::vector<scheduler*> schedulers_;
  std::vector<worker*> workers_;  // null: scheduler 0, and one that could not start
  std::mutex mutex_;                    // of the start
  std::condition_variable started_;
  unsigned waiting_for_ = 0;
  std::exception_ptr failure_;
  std::atomic<unsigned> turn_{0};
  detail::named_threads threads_;  // last: they use the others
};

runtime::impl::impl(runtime_options const& options) : options_(options), own_(make_driver(options.driver)) {
  unsigned const wanted = options.threads != 0 ? options.threads : usable_cpus();
  schedulers_.assign(wanted, nullptr);
  workers_.assign(wanted, nullptr);
  schedulers_[0] = &own_;
  waiting_for_ = wanted - 1;
  if (wanted == 1) return;
  own_.others_send_tasks = true;
  int const error = threads_.start(1, wanted - 1, options.name, own_.sys(),
                                   [this](unsigned number) noexcept { serve(number); });
  std::unique_lock lock(mutex_);
  waiting_for_ -= wanted - 1 - threads_.size();  // those that were refused
  started_.wait(lock, [this] { return waiting_for_ == 0; });
  lock.unlock();
  if (error == 0 && failure_ == nullptr) return;
  end_threads();
  if (failure_ != nullptr) std::rethrow_exception(failure_);
  throw std::system_error(error, std::generic_category(),
                          "runtime: a thread cannot be started; ask for fewer, or raise the limit of tasks "
                          "(ulimit -u, the control group's pids.max)");
}

runtime::impl::~impl() {
  {
    scheduler_binding const bound(own_);
    close_background();
  }
  end_threads();
}

// A driver belongs to the thread that makes it.
void runtime::impl::serve(unsigned number) noexcept {
  std::unique_ptr<worker> mine;
  try {
    mine = std::make_unique<worker>(options_.driver);
  } catch (...) {
    std::lock_guard const lock(mutex_);
    if (failure_ == nullptr) failure_ = std::current_exception();
  }
  {
    std::lock_guard const lock(mutex_);
    if (mine != nullptr) {
      workers_[number] = mine.get();
      schedulers_[number] = &mine->sched();
    }
    --waiting_for_;
    started_.notify_one();
  }
  if (mine != nullptr) mine->serve();
}

void runtime::impl::end_threads() noexcept {
  for (worker* const w : workers_) {
    if (w != nullptr) w->ask_to_end();
  }
  threads_.join();
}

// Each scheduler goes on until all are done: the tasks of one may wait for those of another.
bool runtime::impl::close_once() {
  close_pass pass{.missing = size(), .had_tasks = !own_.background().empty()};
  for (worker* const w : workers_) {
    if (w != nullptr) w->ask_to_close(own_, pass);
  }
  own_.close_background();
  pass.complete = --pass.missing == 0;
  own_.run_until(pass.complete);
  return pass.had_tasks;
}

// A task that ended in one place may have started another in a place that was already empty. Who saw
// every place empty twice in a row has seen that nobody was left to do so.
void runtime::impl::close_background() noexcept {
  for (int empty = 0; empty < 2;) empty = close_once() ? 0 : empty + 1;
}

runtime::runtime(runtime_options options) : impl_(std::make_unique<impl>(options)) {}
runtime::~runtime() = default;
unsigned runtime::size() const noexcept { return impl_->size(); }
scheduler& runtime::at(unsigned number) noexcept { return impl_->at(number); }
scheduler& runtime::next() noexcept { return impl_->next(); }
void runtime::close_background() noexcept { impl_->close_background(); }

}  // namespace plait
