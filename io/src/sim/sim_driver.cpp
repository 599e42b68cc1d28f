#include "sim_driver.hpp"

#include "process.hpp"

#include <plait/scheduler.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <liburing.h>
#include <poll.h>
#include <string>

namespace plait::io::sim {
namespace {

using namespace std::chrono_literals;

constexpr duration answer_max = 50us;  // between an operation's effect and its completion

constexpr double ends_by_itself = 0.1;  // that a result of many is the last one

}  // namespace

sim_driver::sim_driver(simulation& run) : sim_driver(run, run.world, nullptr, ~run.options.seed) {}

sim_driver::sim_driver(simulation& run, process& of)
    : sim_driver(run, of.calls(), &of, run.random.next()) {}

sim_driver::sim_driver(simulation& run, system_calls& calls, process* of, std::uint64_t own_numbers)
    : run_(run), process_(of), sys_(calls), random_(run.random), plan_(run.plan),
      order_(run.options, random_), program_random_(own_numbers),
      accepts_many_(random_.chance(run.options.many_accepts)) {
  reorders_ = order_.changes_anything();
  runs_jobs_ = true;
  first_fd_ = world::first_fd;
  in_flight_ = 1;  // the world, which a busy scheduler must look at as well
  run_.add(*this);
}

sim_driver::sim_driver(std::unique_ptr<simulation> run) : sim_driver(*run) { owned_run_ = std::move(run); }

sim_driver::~sim_driver() {
  PLAIT_CHECK(in_flight_ == 1, "a simulated driver was destroyed while operations were in flight");
  run_.remove(*this);
}

void sim_driver::tell_waiting(std::map<std::string, int>& counts) const {
  for (auto const& [request, h] : held_) {
    bool const waits = request->is_readiness;
    int const fd = waits ? static_cast<fd_wait*>(request)->fd() : static_cast<op*>(request)->fd;
    std::string what = waits ? "wait" : static_cast<op*>(request)->lowering->name;
    if (fd >= 0) what += " of descriptor " + std::to_string(fd);
    if (process_ != nullptr) what += " in " + process_->name();
    ++counts[what];
  }
}

sim_driver::held& sim_driver::hold(driver_request& request) {
  ++in_flight_;
  return held_[&request] = held{++last_id_, phase::planned};
}

sim_driver::held* sim_driver::find(driver_request* request, std::uint64_t id) {
  auto const at = held_.find(request);
  return at != held_.end() && at->second.id == id ? &at->second : nullptr;
}

// What happens to this program while another one's scheduler looks at the agenda.
template <class What>
void sim_driver::in_program(What const& what) {
  if (process_ == nullptr) {
    what();
  } else {
    process_->visit(what);
  }
}

void sim_driver::wake_program() {
  if (process_ != nullptr) process_->plan_turn();
}

// what(held), if the request is still there.
template <class What>
void sim_driver::after(duration d, driver_request& request, What what) {
  plan_.after(d, [this, &request, id = held_.at(&request).id, what] {
    if (held* const h = find(&request, id)) in_program([&] { what(*h); });
  });
}

int sim_driver::try_once(op& request) {
  if (random_.chance(run_.options.interrupted)) return -EINTR;
  op_lowering const& how = *request.lowering;
  if (how.interest != 0) return how.try_now(request, sys());
  int const answer = how.try_now != nullptr ? how.try_now(request, sys()) : -EAGAIN;
  return answer == -EAGAIN ? how.block(request, sys()) : answer;
}

// As a driver does what its ring has no opcode for, and epoll all: it tries at once, and then waits.
bool sim_driver::goes_by_hand(op const& request) {
  way& known = ways_[request.lowering->opcode];
  if (known == way::unknown) {
    known = random_.chance(run_.options.missing_opcodes) ? way::by_hand : way::ring;
  }
  return known == way::by_hand;
}

bool sim_driver::gives_many(op const& request) const noexcept {
  return request.lowering->may_give_many && request.flags != 0;
}

bool sim_driver::begin_op(op& request) {
  if (dead_) {
    request.cancel_asked = true;
    request.answer = -ECANCELED;
    return true;
  }
  if (!gives_many(request) && (goes_by_hand(request) || random_.chance(0.25))) {
    request.answer = try_once(request);
    if (request.answer != -EAGAIN) return true;
  }
  held& h = hold(request);
  if (run_.options.queue_entries != 0 && submitted_ >= run_.options.queue_entries) {
    h.is = phase::backlogged;
    backlog_.emplace_back(&request, h.id);
  } else {
    ++submitted_;
    plan_attempt(request);
  }
  return false;
}

void sim_driver::fill() {
  submitted_ = 0;
  while (!backlog_.empty() && submitted_ < run_.options.queue_entries) {
    auto const [request, id] = backlog_.front();
    backlog_.pop_front();
    if (find(request, id) == nullptr) continue;  // cancelled
    ++submitted_;
    plan_attempt(*request);
  }
}

void sim_driver::plan_attempt(op& request) {
  held_.at(&request).is = phase::planned;
  after(random_.between(duration::zero(), answer_max), request, [this, &request](held const& h) {
    if (h.is == phase::planned) attempt(request);
  });
}

// Also where it has to wait, a kernel that is short of something says -EAGAIN now and then.
void sim_driver::attempt(op& request) {
  int const answer = try_once(request);
  if (answer == -EAGAIN && !random_.chance(run_.options.wrong_again)) {
    held_.at(&request).is = phase::parked;
  } else if (answer >= 0 && gives_many(request) && !random_.chance(ends_by_itself)) {
    plan_result(request, answer);
    plan_attempt(request);
  } else {
    plan_end(request, answer);
  }
}

// Completions come a while after the effect; where there is a grid, many at once.
duration sim_driver::until_completion() {
  duration const soon = random_.between(duration::zero(), answer_max);
  duration const grid = run_.options.completion_grid;
  if (grid <= duration::zero()) return soon;
  duration const at = plan_.now().time_since_epoch() + soon;
  return soon + (grid - at % grid) % grid;
}

// One of many: they come in order, and the end comes after them.
void sim_driver::plan_result(op& request, int answer) {
  held& h = held_.at(&request);
  h.last_result = std::max(h.last_result + duration(1), plan_.now() + until_completion());
  after(h.last_result - plan_.now(), request, [this, &request, answer](held const&) {
    note(answer);
    request.finish_request(answer, IORING_CQE_F_MORE);
  });
}

void sim_driver::plan_end(driver_request& request, int answer) {
  held& h = held_.at(&request);
  h.is = phase::answered;
  time_point const at = std::max(h.last_result + duration(1), plan_.now() + until_completion());
  after(at - plan_.now(), request, [this, &request, answer](held const&) { end(request, answer); });
}

void sim_driver::note(int answer) noexcept {
  run_.trace.add(static_cast<std::uint64_t>(plan_.now().time_since_epoch().count()));
  run_.trace.add(static_cast<std::uint64_t>(answer));
}

void sim_driver::end(driver_request& request, int answer) {
  waits_.erase(held_.at(&request).id);
  held_.erase(&request);
  --in_flight_;
  note(answer);
  request.finish_request(answer, 0);
}

void sim_driver::plan_cancel(driver_request& request) {
  auto const at = held_.find(&request);
  if (at == held_.end() || at->second.is == phase::answered) return;  // too late
  after(random_.between(duration::zero(), answer_max), request, [this, &request](held const& h) {
    if (h.is == phase::answered) return;
    if (h.last_result >= plan_.now()) {
      plan_end(request, -ECANCELED);
    } else {
      end(request, -ECANCELED);
    }
  });
}

void sim_driver::cancel(op& request) noexcept {
  request.cancel_asked = true;
  auto const at = held_.find(&request);
  if (at != held_.end() && at->second.is == phase::backlogged) return end(request, -ECANCELED);
  plan_cancel(request);
}

void sim_driver::watch(fd_wait& wait) {
  if (dead_) return wait.finish_request(-ECANCELED, 0);
  if (!sys_.is_open(wait.fd())) return wait.finish_request(-EBADF, 0);
  hold(wait);
  waits_.emplace(last_id_, &wait);
  look(wait);
}

void sim_driver::look(fd_wait& wait) {
  int const there = run_.world.ready(wait.fd()) & (wait.events() | POLLERR | POLLHUP | POLLNVAL);
  if (there != 0) {
    plan_end(wait, there);
  } else {
    held_.at(&wait).is = phase::parked;
  }
}

void sim_driver::unwatch(fd_wait& wait) noexcept { plan_cancel(wait); }

void sim_driver::changed(int fd) {
  fd_record const& r = record(fd);
  for (op* const waiting : {r.reading, r.writing}) {
    if (waiting == nullptr) continue;
    auto const at = held_.find(waiting);
    if (at != held_.end() && at->second.is == phase::parked) plan_attempt(*waiting);
  }
  for (auto const& [id, wait] : waits_) {
    if (wait->fd() == fd && held_.at(wait).is == phase::parked) look(*wait);
  }
}

void sim_driver::run_job_later(pool_job& job) {
  if (dead_) {  // it waits for its cancellation
    jobs_[&job] = {};
    return;
  }
  jobs_[&job] = plan_.after(random_.between(duration::zero(), run_.options.job_max), [this, &job] {
    jobs_.erase(&job);
    run_.trace.add(static_cast<std::uint64_t>(plan_.now().time_since_epoch().count()));
    in_program([&job] { job.run(job); });
  });
}

bool sim_driver::withdraw_job(pool_job& job) noexcept {
  auto const at = jobs_.find(&job);
  if (at == jobs_.end()) return false;  // it has run
  plan_.forget(at->second);
  jobs_.erase(at);
  return true;
}

// In the order in which they came, which is not that of the table.
void sim_driver::die() {
  dead_ = true;
  own_time_ = plan_.now();
  backlog_.clear();
  std::map<std::uint64_t, driver_request*> by_age;
  for (auto const& [request, h] : held_) by_age.emplace(h.id, request);
  for (auto const& [id, request] : by_age) {
    request->cancel_asked = true;
    end(*request, -ECANCELED);
  }
}

void sim_driver::get_stuck(char const* why) {
  std::string const text = why + (": " + run_.waiting());
  PLAIT_CHECK(run_.on_stuck, text.c_str());
  PLAIT_CHECK(!std::exchange(stuck_, true),
              "a simulated program that was cancelled, since nothing could happen any more, does not "
              "end: look for a wait in a shield or in a cleanup");
  run_.on_stuck(text);
}

void sim_driver::park(time_point deadline) {
  fill();
  if (process_ != nullptr) return;
  plan_.move_to(plan_.now() + random_.between(step_min, step_max));
  if (plan_.run_due() != 0) {
    fruitless_turns_ = 0;
    return;
  }
  if (deadline <= plan_.now() || !backlog_.empty()) {
    if (++fruitless_turns_ != run_.options.spin_limit) return;
    return get_stuck("the program goes round without waiting for anything, and tasks wait");
  }
  fruitless_turns_ = 0;
  time_point const next = std::min(plan_.next(), deadline);
  if (next == no_deadline) return get_stuck("nothing can happen any more, and tasks wait");
  if (next - run_.begin > run_.options.time_limit && !stuck_) {
    return get_stuck("the time limit was reached, and tasks wait");
  }
  plan_.move_to(next);
  plan_.run_due();
}

}  // namespace plait::io::sim
