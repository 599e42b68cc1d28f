#include <plait/testing/sim_process.hpp>

#include "process.hpp"

namespace plait::testing {
namespace {

task<sim_exit> end_of(std::shared_ptr<io::sim::process> p) {
  co_await io::sim::process_end(*p);
  co_return p->how_it_ended();
}

}  // namespace

sim_process::sim_process(task<int> whole) {
  io::sim::simulation* const run = io::sim::simulation::current();
  PLAIT_CHECK(run != nullptr, "a sim_process was spawned outside of a simulated program");
  process_ = run->add_process();
  process_->start(std::move(whole));
}

sim_process& sim_process::operator=(sim_process&& other) noexcept {
  std::swap(process_, other.process_);
  return *this;
}

sim_process::~sim_process() {
  if (process_ != nullptr) process_->kill();
}

task<sim_exit> sim_process::join() const { return end_of(process_); }
void sim_process::kill() noexcept { process_->kill(); }
void sim_process::pause() noexcept { process_->pause(); }
void sim_process::resume() noexcept { process_->resume(); }
bool sim_process::has_ended() const noexcept { return process_->has_ended(); }

}  // namespace plait::testing
