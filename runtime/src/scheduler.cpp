#include <plait/scheduler.hpp>

#include "deadlocks.hpp"

#include <plait/cancel.hpp>
#include <plait/sync/lock_order.hpp>
#include <plait/task_group.hpp>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace plait {

constinit thread_local scheduler* scheduler::here_ = nullptr;

namespace {

void report_unhandled(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (std::exception const& e) {
    std::fprintf(stderr, "plait: a background task failed: %s\n", e.what());
  } catch (...) {
    std::fprintf(stderr, "plait: a background task failed with an exception of unknown type\n");
  }
  std::fprintf(stderr, "  (set scheduler::on_unhandled, or handle it in the task)\n");
}

void print_report(std::string const& report) { std::fprintf(stderr, "plait: %s\n", report.c_str()); }

}  // namespace

scheduler::scheduler(driver& over)
    : on_unhandled(report_unhandled),
      on_deadlock(print_report),
      driver_(&over),
      turn_time_(over.now()),
      timers_(turn_time_),
      root_scope_(std::make_unique<cancel_scope>(cancel_scope::root, *this)),
      background_(new_background()),
      on_lock_order(print_report) {
  lock_order_checks = detail::new_schedulers_check_lock_order() ? 1 : 0;
}

scheduler::scheduler(std::unique_ptr<driver> over) : scheduler(*over) {
  owned_driver_ = std::move(over);
}

std::unique_ptr<task_group> scheduler::new_background() {
  return std::make_unique<task_group>(*root_scope_, task_group::on_failure::report);
}

// Sleeps only where `ended`, asked when the ready tasks have run, says that there is more to come.
template <class Ended>
void scheduler::turn(Ended ended) {
  bool const timed = timers_.armed() != 0;
  knows_time_ = false;
  time_point const begin = timed ? now() : time_point();
#if PLAIT_TASK_TRACKING
  // For the beginning of waits alone; a busy loop has better to do than to look at the clock each time.
  if (!timed && (has_slept_ || ++turns_ % 16 == 0)) now();
  has_slept_ = false;
#endif
  if (driver_->reorders()) [[unlikely]] reorder_ready();
  run_ready();
  drain_inbox();
  if (timers_.armed() != 0) {
    now();
    if (timed) adapt_budget(turn_time_ - begin);
    timers_.fire_due(turn_time_, turn_budget);
  }
  if (first_ready_ == nullptr && !ended()) {
    sleep();
  } else if (driver_->in_flight() != 0) {
    driver_->park(time_point::min());
  }
}

void scheduler::close_background() {
  background_->cancel("the program is ending");
  auto const all_ended = [this] { return background_->empty(); };
  while (!all_ended()) turn(all_ended);
  // In place: the end of a run asks for no memory.
  std::destroy_at(background_.get());
  std::construct_at(background_.get(), *root_scope_, task_group::on_failure::report);
  await_orphans();
}

// What else the driver holds is of objects that live on: a listener that may be used in another
// run.
void scheduler::await_orphans() {
  auto const none_left = [this] { return driver_->orphans() == 0; };
  while (!none_left()) turn(none_left);
}

scheduler::~scheduler() {
  PLAIT_CHECK(!in_turn_, "a scheduler was destroyed by a task that runs on it");
  PLAIT_CHECK(background_->empty(),
              "a scheduler was destroyed while background tasks were alive; let plait::run return");
  scheduler_binding const bound(*this);
  inbox_.await_senders();
  drain_inbox();
  await_orphans();
  background_.reset();
  root_scope_.reset();
}

void scheduler::post(remote_call& call) noexcept {
  inbox_.post(call, [this] { driver_->wake(); });
}

bool scheduler::drain_inbox() noexcept { return inbox_.drain(); }

// The head of the queue stays in a register: what tasks make ready goes to the tail.
void scheduler::run_ready() {
  in_turn_ = true;
  detail::resumable* next = first_ready_;
  for (int left = budget_; left > 0 && next != nullptr; --left) {
    detail::resumable* const leaf = next;
    next = leaf->next_ready;
    bool const was_last = next == nullptr;
    first_ready_ = next;  // for who looks on meanwhile
    if (was_last) {
      last_ready_ = &first_ready_;
    } else {
      __builtin_prefetch(&next->next_ready);
      __builtin_prefetch(reinterpret_cast<char const*>(next) + 48);
    }
#if PLAIT_BOUNDED_DEPTH
    depth_left_ = 100;
#endif
    leaf->handle().resume();
    if (was_last) next = first_ready_;
  }
  first_ready_ = next;
  in_turn_ = false;
}

void scheduler::reorder_ready() {
  std::vector<detail::resumable*> ready;
  for (detail::resumable* r = first_ready_; r != nullptr; r = r->next_ready) ready.push_back(r);
  if (ready.empty()) return;
  budget_ = driver_->order_ready(ready);
  first_ready_ = nullptr;
  last_ready_ = &first_ready_;
  for (detail::resumable* const r : ready) make_ready(*r);
}

// Tasks that hold the loop for long keep timers waiting: then fewer of them fit into a turn.
void scheduler::adapt_budget(duration turn) noexcept {
  constexpr duration aim = std::chrono::microseconds(500);
  if (turn > aim) {
    budget_ = std::max(1, static_cast<int>(budget_ * aim.count() / turn.count()));
  } else if (turn < aim / 4 && budget_ < turn_budget) {
    budget_ = std::min(budget_ * 2, turn_budget);
  }
}

// Only where nothing can arrive: no timer, no answer of the kernel, no call of another thread. What other
// threads may still do is known to the waits themselves.
bool scheduler::ends_deadlock() noexcept {
  if (timers_.armed() != 0 || driver_->requests() != 0 || expected_posts != 0 || others_send_tasks) {
    return false;
  }
  return inbox_.seems_empty() && detail::end_deadlock(*this, nullptr);
}

void scheduler::sleep() {
  has_slept_ = true;
  if (expected_posts != 0 && spin_.until([this] { return !inbox_.seems_empty(); })) {
    return;
  }
  if (ends_deadlock()) return;
  inbox_.sleep([this] { driver_->park(timers_.next_deadline()); });
}

void scheduler::run_until(bool const& done) {
  scheduler_binding const bound(*this);
  now();
  while (!done) turn([&done] { return done; });
}

void scheduler::run_until_idle() {
  scheduler_binding const bound(*this);
  now();
  do {
    turn([] { return true; });
  } while (first_ready_ != nullptr || !inbox_.seems_empty() ||
           timers_.next_deadline() <= driver_->now());
}

void scheduler::run_turn() {
  PLAIT_CHECK(here_ == this, "a scheduler's turn was run while another one was the current");
  now();
  turn([] { return true; });
}

time_point scheduler::next_turn() noexcept {
  if (first_ready_ != nullptr || !inbox_.seems_empty()) return time_point::min();
  return timers_.next_deadline();
}

scheduler_binding::scheduler_binding(scheduler& s) noexcept : previous_(scheduler::here_) {
  PLAIT_CHECK(previous_ == nullptr || previous_ == &s,
              "a scheduler already runs on this thread; await the task instead of running it");
  scheduler::here_ = &s;
}

scheduler_binding::~scheduler_binding() { scheduler::here_ = previous_; }

}  // namespace plait
