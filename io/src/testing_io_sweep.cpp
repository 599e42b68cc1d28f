#include <plait/testing/io_sweep.hpp>

#include <plait/testing/fail_nth.hpp>

#include <memory>
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

}  // namespace plait::testing
