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
    std::size_t const open = sim_.open_descriptors();
    return open == 0 ? "" : std::to_string(open) + " simulated descriptors left";
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

task<> run_until_killed(scenario const& s, long n, std::optional<sim_process>& process) {
  long reached = 0;
  checkpoint_watch const watch(scheduler::current(), [&] {
    if (++reached == n) process->kill();
  });
  co_await s.body();
}

// How the process ended.
task<sim_exit> kill_at(scenario const& s, long n) {
  std::optional<sim_process> process;
  process.emplace(sim_process::spawn(run_until_killed, std::cref(s), n, std::ref(process)));
  sim_exit const end = co_await process->join();
  co_return end;
}

// What does not hold, or empty; `killed` where the process had so many awaits.
std::string kill_run(scenario const& s, sim_options const& options, long n, bool& killed) {
  sim_run world(options);
  sim_exit const end = world.run([&] { return kill_at(s, n); });
  killed = end.how == sim_exit::kind::killed;
  if (end.how == sim_exit::kind::failed) return "it fails by itself: " + end.what;
  sim_ledger const left = world.ledger();
  if (left != sim_ledger{}) {
    return std::to_string(left.descriptors) + " descriptors, " + std::to_string(left.files) + " files, " +
           std::to_string(left.segments) + " segments, " + std::to_string(left.events) + " events and " +
           std::to_string(left.names) + " names are left in the world";
  }
  run_report report;
  report.how = killed ? run_report::end::cancelled : run_report::end::completed;
  if (s.check) s.check(report);
  return "";
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
  sweep_result result;
  bool killed = true;
  for (long n = 1; killed; ++n) {
    std::string wrong;
    try {
      wrong = kill_run(s, options, n, killed);
    } catch (std::exception const& e) {
      wrong = e.what();
    }
    if (!wrong.empty()) {
      result.broken = "in run " + s.name + "/kill/" + std::to_string(n) + ": " + wrong;
      return result;
    }
    if (killed) ++result.runs;
  }
  return result;
}

}  // namespace plait::testing
