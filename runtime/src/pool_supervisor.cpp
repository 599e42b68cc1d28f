// The tasks of a process pool from its first job to its end, and what happens when workers die.
#include "pool_state.hpp"

#include <plait/cancel.hpp>
#include <plait/driver.hpp>
#include <plait/sleep.hpp>

#include <algorithm>
#include <csignal>
#include <poll.h>

namespace plait::detail {

void process_pool_state::ensure_started() {
  if (started_) return;
  home_.background().spawn(&process_pool_state::supervise, shared_from_this());
  started_ = true;
}

task<> process_pool_state::supervise(shared pool) {
  std::exception_ptr cancelled_from_outside;
  try {
    co_await with_task_group(&process_pool_state::keep_workers, pool);
  } catch (std::exception const& e) {
    pool->group_ = nullptr;  // has ended
    pool->break_pool(e.what());
  } catch (cancelled const&) {
    cancelled_from_outside = std::current_exception();
  }
  pool->group_ = nullptr;
  pool->closed_ = true;
  co_await shield(&process_pool_state::bury, pool);
  if (cancelled_from_outside != nullptr) std::rethrow_exception(cancelled_from_outside);
}

task<> process_pool_state::keep_workers(task_group& group, shared pool) {
  pool->group_ = &group;
  auto const all = [](task_group& lives, shared p) -> task<> {
    for (auto const& w : p->workers_) {
      lives.spawn(&process_pool_state::live, p, std::ref(*w));
    }
    co_await lives.join();
  };
  co_await with_task_group(all, pool);
  group.cancel("the pool has ended");  // what still listens to the zygote
}

task<> process_pool_state::live(shared pool, pool_worker& w) {
  bool first = true;
  while (!pool->closed_ || pool->first_ != nullptr) {
    if (!std::exchange(first, false)) ++pool->restarts_;
    w.last_cause.clear();
    bool up = false;
    try {
      co_await bring_up(pool, w);
      up = true;
    } catch (std::exception const& e) {
      w.last_cause = e.what();
      pool->clear(w);
    }
    if (up) {
      co_await with_task_group(&process_pool_state::serve, pool, std::ref(w));
      co_await collect(pool, w);
    }
    if (pool->closed_ && pool->first_ == nullptr) break;
    duration const delay = pool->note_end(w);
    if (pool->broken_ != nullptr) break;
    if (delay > duration::zero()) co_await sleep_for(delay);
  }
}

// How long to wait before the next start.
duration process_pool_state::note_end(pool_worker& w) {
  if (w.end_expected) return duration::zero();
  restart_limits const& limits = options_.restarts;
  time_point const now = home_.now();
  w.deaths.push_back(now);
  while (now - w.deaths.front() > limits.window) w.deaths.pop_front();
  auto const deaths = static_cast<int>(w.deaths.size());
  if (deaths > limits.deaths) {
    break_pool("a worker died " + std::to_string(deaths) + " times within " +
               std::to_string(limits.window / std::chrono::seconds(1)) + " s; the last time: " +
               w.last_cause);
    return duration::zero();
  }
  if (deaths <= 1) return duration::zero();
  return std::min(limits.delay_max, limits.delay * (std::int64_t{1} << std::min(deaths - 2, 20)));
}

void process_pool_state::break_pool(std::string const& why) noexcept {
  if (broken_ != nullptr) return;
  broken_ = std::make_exception_ptr(broken_process_pool("the process pool gave up: " + why));
  closed_ = true;
  for (auto const& w : workers_) kill(*w);
  fail_everything(broken_);
  news_.set();
  if (group_ != nullptr) group_->cancel("the process pool is broken");
}

// No task looks after the processes any more: ends them, waits for them, closes everything.
task<> process_pool_state::bury(shared pool) {
  for (auto const& w : pool->workers_) pool->kill(*w);
  pool->fail_everything(pool->broken_ != nullptr ? pool->broken_
                                                 : std::make_exception_ptr(process_pool_closed()));
  // The zygote kills and reaps its workers when this closes.
  pool->zygote_.control.close();
  if (pool->zygote_.pidfd) {
    auto const wait_for_end = [](shared p) -> task<> {
      co_await fd_wait(p->zygote_.pidfd.get(), POLLIN);
    };
    auto const ended = co_await move_on_after(std::chrono::seconds(5), wait_for_end, pool);
    if (!ended) {  // a worker hangs in the kernel; the zygote need not
      pool->sys_.pidfd_send_signal(pool->zygote_.pidfd.get(), SIGKILL);
      co_await wait_for_end(pool);
    }
  }
  pool->zygote_ended();
  for (auto const& w : pool->workers_) pool->clear(*w);
  pool->lifeline_.close();
  pool->lifeline_inner_.close();
  pool->news_.set();
  pool->ended_.set();
}

}  // namespace plait::detail
