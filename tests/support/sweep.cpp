#include "support/sweep.hpp"

#include <plait/run.hpp>
#include <plait/testing/checkpoints.hpp>
#include <plait/testing/ledger.hpp>

#include <exception>

namespace plait::test {
namespace {

constexpr int runs_max = 5000;

struct late_cancel : remote_call {
  explicit late_cancel(cancel_scope& s) noexcept
      : remote_call([](remote_call& c) noexcept {
          auto& self = static_cast<late_cancel&>(c);
          if (!self.scenario_over) self.scope.cancel("the sweep");
        }),
        scope(s) {}
  ~late_cancel() {
    scenario_over = true;
    scheduler::current().drain_inbox();  // it may be in there still
  }
  cancel_scope& scope;
  bool scenario_over = false;
};

// Whether the scenario reached its n-th cancel point.
bool cancel_at_nth(cancel_at where, int n, std::function<task<>()> const& scenario) {
  testing::manual_scheduler m;
  int reached = 0;
  auto const swept = [&](cancel_scope& scope) -> task<> {
    late_cancel later(scope);
    testing::checkpoint_watch const watch(m.sched(), [&] {
      if (++reached != n) return;
      if (where == cancel_at::the_await) {
        scope.cancel("the sweep");
      } else {
        m.sched().post(later);
      }
    });
    co_await scenario();
  };
  auto const main_task = [&]() -> task<> {
    bool const finished = co_await with_cancel_scope(std::ref(swept));
    static_cast<void>(finished);
  };
  run_on(m.sched(), main_task());
  return reached >= n;
}

}  // namespace

sweep_result sweep(cancel_at where, std::function<task<>()> const& scenario,
                   std::function<void()> const& after) {
  sweep_result result;
  for (int n = 1; n <= runs_max; ++n) {
    std::string const at = "cancelled at cancel point " + std::to_string(n) + ": ";
    testing::ledger_guard ledger;
    bool reached = false;
    try {
      reached = cancel_at_nth(where, n, scenario);
      after();
    } catch (std::exception const& e) {
      result.broken = at + e.what();
    }
    std::string const left = ledger.differences();
    if (!left.empty()) result.broken += at + left;
    if (!reached || !result.broken.empty()) return result;
    ++result.runs;
  }
  result.broken = "the scenario does not end";
  return result;
}

sweep_result sweep_both(std::function<task<>()> const& scenario,
                        std::function<void()> const& after) {
  sweep_result const first = sweep(cancel_at::the_await, scenario, after);
  if (!first.broken.empty()) return first;
  sweep_result second = sweep(cancel_at::the_suspension, scenario, after);
  second.runs += first.runs;
  return second;
}

}  // namespace plait::test
