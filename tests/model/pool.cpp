// Jobs that two threads submit and withdraw reach a pool's threads, which look round and sleep.
#include <job_exchange.hpp>

#include "model.hpp"

namespace {

struct sync : model::atomics {
  using short_lock = model::mutex;
  using mutex = model::mutex;
  using condition_variable = model::condition_variable;
};

struct job {
  model::plain<job*> next = nullptr;
  model::plain<job*> previous = nullptr;
  model::plain<bool> queued = false;
  model::plain<int> ran = 0;
};

struct looks_once {
  template <class Condition>
  bool until(Condition const& there) {
    return there();
  }
};

using exchange = plait::job_exchange<job, sync>;

// One thread submits, another submits and withdraws. The pool is stopped when all that is left in
// it has run: stopping wakes everybody, and would hide a lost wake-up.
struct withdrawing : rl::test_suite<withdrawing, 3> {
  withdrawing() { jobs_.limit_searchers(1); }

  void thread(unsigned which) {
    if (which == 2) return work();
    job& mine = submitted_[which];
    jobs_.submit(mine);
    if (which == 1 && jobs_.withdraw(mine)) {
      RL_ASSERT(mine.ran == 0);
      mine.ran = 1;
    } else {
      ended_[which].wait();
    }
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) jobs_.stop();
  }

  void work() {
    looks_once spin;
    while (job* const taken = jobs_.next(spin)) {
      taken->ran = taken->ran + 1;
      ended_[taken - submitted_].wake();
    }
  }

  void after() {
    for (job const& j : submitted_) RL_ASSERT(j.ran == 1);
  }

  exchange jobs_;
  job submitted_[2];
  model::sleeping_place ended_[2];
  model::atomic<int> left_{2};
};

// The first job waits for the second, so that two threads must be awake.
struct two_at_once : rl::test_suite<two_at_once, 3> {
  two_at_once() { jobs_.limit_searchers(1); }

  void thread(unsigned which) {
    if (which != 0) return work();
    for (job& j : submitted_) jobs_.submit(j);
    ended_[0].wait();
    jobs_.stop();
  }

  void work() {
    looks_once spin;
    while (job* const taken = jobs_.next(spin)) {
      if (taken == &submitted_[0]) ended_[1].wait();
      taken->ran = taken->ran + 1;
      ended_[taken - submitted_].wake();
    }
  }

  void after() {
    for (job const& j : submitted_) RL_ASSERT(j.ran == 1);
  }

  exchange jobs_;
  job submitted_[2];
  model::sleeping_place ended_[2];
};

// Two take longer than a test may.
constexpr model::search one_preemption{.preemptions = 1, .random = 100000};

using model::step;
using model::weakening;

model::test_case const run_or_withdrawn{
    "thread pool: each job is run or withdrawn, once, and no wake-up is lost",
    [] { return model::holds<withdrawing>(); }};

model::test_case const both_awake{
    "thread pool: a job that waits for the next one finds a second thread awake",
    [] { return model::holds<two_at_once>(one_preemption); }};

model::test_case const both_awake_weak{
    "thread pool: the model finds a second thread asleep when a thread's last look is an acquire",
    [] {
      return model::fails<two_at_once>({rl::test_result_deadlock},
                                       weakening::of<job*>(step::load, std::memory_order_acquire),
                                       one_preemption);
    }};

model::test_case const weak_look{
    "thread pool: the model finds a lost wake-up when a submitter's look at sleepers is an acquire",
    [] {
      return model::fails<withdrawing>(
          {rl::test_result_deadlock},
          weakening::of<std::uint32_t>(step::load, std::memory_order_acquire));
    }};

model::test_case const weak_last_look{
    "thread pool: the model finds a lost wake-up when a thread's last look is an acquire", [] {
      return model::fails<withdrawing>({rl::test_result_deadlock},
                                       weakening::of<job*>(step::load, std::memory_order_acquire));
    }};

model::test_case const moved_unseen{
    "thread pool: the model finds a lost wake-up when jobs leave the stack before the list says so",
    [] {
      return model::fails<withdrawing>(
          {rl::test_result_deadlock},
          weakening::of<job*>(step::exchange, std::memory_order_acquire));
    }};

}  // namespace
