#include <plait/testing/io_sweep.hpp>

#include <plait/scheduler.hpp>
#include <plait/testing/checkpoints.hpp>
#include <plait/testing/fail_nth.hpp>
#include <plait/testing/sim_process.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace plait::testing {
namespace {

class simulated_world final : public sweep_world {
 public:
  explicit simulated_world(sim_options const& options) : sim_(options) {}
  scheduler& sched() override { return sim_.sched(); }
  bool run(std::function<task<bool>()> const& whole) override { return sim_.run(whole); }
  void pass_time() override {}  // each turn takes some
  std::string left() override {
    sim_ledger const l = sim_.ledger();
    if (l == sim_ledger{}) return "";
    return std::to_string(l.descriptors) + " simulated descriptors left, " +
           std::to_string(l.files) + " files, " + std::to_string(l.segments) + " segments, " +
           std::to_string(l.events) + " events, " + std::to_string(l.names) + " names";
  }

 private:
  sim_run sim_;
};

class driver_call_fault final : public sweep_fault {
 public:
  driver_call_fault(long n, std::errc error) : fault_("*", n, error) {}
  bool happened() const noexcept override { return fault_.happened(); }
  bool explains(std::exception_ptr const& came_out) const override {
    try {
      std::rethrow_exception(came_out);
    } catch (sim_stuck const&) {
      return false;
    } catch (std::runtime_error const&) {
      return true;
    } catch (...) {
      return false;
    }
  }

 private:
  fail_nth fault_;
};

// One run's kill.
struct kill_plan {
  long at = 0;  // the await
  bool happened = false;
};

class kill_fault final : public sweep_fault {
 public:
  explicit kill_fault(kill_plan const& plan) : plan_(plan) {}
  bool happened() const noexcept override { return plan_.happened; }
  bool explains(std::exception_ptr const&) const override { return false; }

 private:
  kill_plan const& plan_;
};

task<> run_until_killed(std::function<task<>()> const& body, kill_plan& plan,
                        std::optional<sim_process>& process) {
  long reached = 0;
  checkpoint_watch const watch(scheduler::current(), [&] {
    if (++reached == plan.at) process->kill();
  });
  co_await body();
}

// What the scenario throws by itself is thrown here.
task<> run_as_process(std::function<task<>()> const& body, kill_plan& plan) {
  std::optional<sim_process> process;
  process.emplace(
      sim_process::spawn(run_until_killed, std::cref(body), std::ref(plan), std::ref(process)));
  sim_exit const end = co_await process->join();
  plan.happened = end.how == sim_exit::kind::killed;
  if (end.error != nullptr) std::rethrow_exception(end.error);
}

}  // namespace

scenario in_simulation(scenario s, sim_options options) {
  s.world = [options] { return std::make_unique<simulated_world>(options); };
  return s;
}

sweep_result for_each_driver_call(scenario const& s, std::errc error) {
  return for_each_fault(s, "driver call", [error](long n) -> std::unique_ptr<sweep_fault> {
    return std::make_unique<driver_call_fault>(n, error);
  });
}

sweep_result for_each_kill(scenario const& s, sim_options options) {
  kill_plan plan;
  auto const check = [&](run_report const& ended) {
    run_report report = ended;
    if (plan.happened) report.how = run_report::end::cancelled;
    if (s.check) s.check(report);
  };
  scenario const as_process =
      in_simulation({.name = s.name,
                     .body = [&] { return run_as_process(s.body, plan); },
                     .check = check,
                     .handles_errors = true},  // a kill is nobody's to report
                    options);
  return for_each_fault(as_process, "kill", [&plan](long n) -> std::unique_ptr<sweep_fault> {
    plan = {n, false};
    return std::make_unique<kill_fault>(plan);
  });
}

}  // namespace plait::testing
