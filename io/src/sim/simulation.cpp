#include "simulation.hpp"

#include "process.hpp"
#include "sim_driver.hpp"

#include <plait/scheduler.hpp>

#include <map>

namespace plait::io::sim {

simulation::simulation(testing::sim_options const& given)
    : options(given), random(options), plan(random), world(options, random, plan), begin(plan.now()) {
  world.on_change = [this](int fd) { changed(fd); };
}

simulation::~simulation() {
  for (auto const& p : processes_) p->leave();
}

std::shared_ptr<process> simulation::add_process() {
  auto const added = std::make_shared<process>(*this, processes_.size() + 1);
  processes_.push_back(added);
  return added;
}

simulation* simulation::current() noexcept {
  scheduler* const s = scheduler::current_or_null();
  auto* const d = s != nullptr ? dynamic_cast<sim_driver*>(&s->io()) : nullptr;
  return d != nullptr ? &d->run() : nullptr;
}

std::unique_ptr<driver> make_sim_driver(testing::sim_options const& options) {
  return std::make_unique<sim_driver>(std::make_unique<simulation>(options));
}

void simulation::changed(int fd) {
  for (sim_driver* const d : drivers_) d->changed(fd);
}

std::string simulation::waiting() const {
  std::map<std::string, int> counts;
  for (sim_driver const* const d : drivers_) d->tell_waiting(counts);
  for (auto const& p : processes_) p->tell_waiting(counts);
  if (counts.empty()) return "none of them for I/O";
  std::string text;
  for (auto const& [what, count] : counts) {
    if (!text.empty()) text += ", ";
    if (count > 1) text += std::to_string(count) + " x ";
    text += what;
  }
  return text;
}

testing::sim_ledger simulation::ledger() {
  time_point const end = plan.now() + options.time_limit;
  while (plan.next() <= end && plan.size() != 0) {
    plan.move_to(plan.next());
    plan.run_due();
  }
  return world.ledger();
}

}  // namespace plait::io::sim
