#include "process.hpp"

namespace plait::io::sim {
namespace {

constexpr char const* by_kill = "the process was killed";

// Turns of one that is unwound, before what it hides in a shield is cancelled, too; and before it counts as
// one that never ends.
constexpr long turns_until_unshielded = 1000;
constexpr long turns_until_endless = 1'000'000;

}  // namespace

bool process_end::start(plait::detail::task_state& task) {
  if (of_->has_ended()) {
    complete_inline(status::done);
    return false;
  }
  of_->joiners().push_back(this);
  waiting_ = &scheduler::current();
  begin(task);
  return true;
}

void process_end::tell() noexcept {
  {
    scheduler_switch const to(*waiting_);
    complete(status::done);
  }
  static_cast<sim_driver&>(waiting_->io()).wake_program();
}

void process_end::cancel() noexcept {
  std::erase(of_->joiners(), this);
  complete(status::cancelled);
}

process::process(simulation& run, std::size_t number) : run_(run), number_(number), calls_(run.world) {}

process::~process() = default;

void process::start(task<int> program) {
  scheduler const* const by = scheduler::current_or_null();
  if (by != nullptr && static_cast<sim_driver&>(scheduler::current().io()).is_dead()) {
    exit_.how = testing::sim_exit::kind::killed;
    ended_ = true;
    return;
  }
  driver_.emplace(run_, *this);
  sched_.emplace(*driver_);
  visit([&] {
    group_.emplace(sched_->root_scope(), task_group::on_failure::cancel_siblings);
    main_.emplace(group_->spawn(plait::detail::hand_over<int>(), std::move(program)));
  });
}

// One turn at a time is planned; it plans the next.
void process::plan_turn() {
  if (ended_ || killed_ || paused_ || in_turn_) return;
  time_point const now = run_.plan.now();
  // The last turn sees that the driver has let go of the last request that nobody waits for.
  bool const at_once = driver_->has_backlog() || is_done();
  time_point const wanted = at_once ? time_point::min() : sched_->next_turn();
  if (wanted == no_deadline) return;
  duration const wait = wanted > now + step_max ? wanted - now : run_.random.between(step_min, step_max);
  if (planned_.has_value()) {
    if (planned_->at <= now + wait) return;
    run_.plan.forget(*planned_);
  }
  planned_ = run_.plan.after(wait, [this] { turn(); });
}

void process::take_turn() {
  scheduler_switch const to(*sched_);
  in_turn_ = true;
  sched_->run_turn();
  in_turn_ = false;
  if (!killed_ && main_->done()) sched_->background().cancel("the program is ending");
}

void process::turn() {
  planned_.reset();
  if (ended_ || killed_ || paused_) return;
  take_turn();
  if (killed_) return unwind();
  if (is_done()) return finish();
  spins_ = sched_->next_turn() == time_point::min() ? spins_ + 1 : 0;
  if (spins_ == run_.options.spin_limit && run_.on_stuck) {
    return run_.on_stuck(name() + " goes round without waiting for anything");
  }
  plan_turn();
}

bool process::is_done() noexcept {
  return main_->done() && sched_->background().empty() && driver_->orphans() == 0;
}

void process::resume() noexcept {
  paused_ = false;
  plan_turn();
}

void process::kill() noexcept {
  if (ended_ || killed_) return;
  killed_ = true;
  if (planned_.has_value()) run_.plan.forget(*std::exchange(planned_, std::nullopt));
  calls_.die();
  {
    scheduler_switch const to(*sched_);
    sched_->on_unhandled = [](std::exception_ptr const&) {};  // it is the kill's doing
    driver_->die();
    group_->cancel(by_kill);
    sched_->background().cancel(by_kill);
  }
  if (!in_turn_) unwind();
}

// Its clock jumps to where something is due; where nothing is, the shields end.
void process::unwind() {
  for (long turns = 1; !is_done(); ++turns) {
    take_turn();
    if (is_done()) break;
    scheduler_switch const to(*sched_);
    time_point const next = sched_->next_turn();
    if (next > driver_->now() && next != no_deadline) driver_->skip_to(next);
    if (next != no_deadline && turns % turns_until_unshielded != 0) continue;
    group_->scope().cancel_shields(by_kill);
    sched_->background().scope().cancel_shields(by_kill);
    PLAIT_CHECK(sched_->next_turn() != no_deadline && turns < turns_until_endless,
                "a simulated process that was killed does not end: look for a wait in a cleanup");
  }
  finish();
}

void process::take_result() {
  exit_.how = testing::sim_exit::kind::failed;
  try {
    exit_.status = main_->take();
    exit_.how = testing::sim_exit::kind::exited;
  } catch (std::exception const& e) {
    exit_.error = std::current_exception();
    exit_.what = e.what();
  } catch (...) {
    exit_.error = std::current_exception();
    exit_.what = "an exception of unknown type";
  }
}

void process::finish() {
  {
    scheduler_switch const to(*sched_);
    if (killed_) {
      exit_.how = testing::sim_exit::kind::killed;
    } else {
      take_result();
    }
    main_.reset();
    group_.reset();
    sched_.reset();
  }
  calls_.close_all();
  run_.remove(*driver_);
  run_.trace.add(number_);
  ended_ = true;
  for (process_end* const one : std::exchange(joiners_, {})) one->tell();
}

void process::leave() noexcept {
  kill();
  driver_.reset();
}

void process::tell_waiting(std::map<std::string, int>& counts) const {
  if (ended_) return;
  ++counts[name() + (paused_ ? ", which is paused" : "")];
}

}  // namespace plait::io::sim
