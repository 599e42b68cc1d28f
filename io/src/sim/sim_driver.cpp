#include "sim_driver.hpp"

#include <plait/scheduler.hpp>

#include <cerrno>
#include <chrono>
#include <poll.h>

namespace plait::io::sim {
namespace {

using namespace std::chrono_literals;

// A step of the program takes time, so that a loop that waits for a time to pass sees it pass.
constexpr duration step_min = 50ns;
constexpr duration step_max = 100ns;
constexpr duration answer_max = 50us;  // between an operation's effect and its completion

}  // namespace

sim_driver::sim_driver(testing::sim_options const& options)
    : options_(options), random_(options), order_(options, random_), program_random_(~options.seed),
      plan_(random_), world_(options, random_, plan_),
      begin_(plan_.now()) {
  reorders_ = order_.changes_anything();
  first_fd_ = world::first_fd;
  in_flight_ = 1;  // the world, which a busy scheduler must look at as well
  world_.on_change = [this](int fd) { changed(fd); };
}

sim_driver::~sim_driver() {
  PLAIT_CHECK(in_flight_ == 1, "a simulated driver was destroyed while operations were in flight");
}

void sim_driver::hold(driver_request& request) {
  ++in_flight_;
  held_[&request] = held{++last_id_, phase::planned};
}

sim_driver::held* sim_driver::find(driver_request* request, std::uint64_t id) {
  auto const at = held_.find(request);
  return at != held_.end() && at->second.id == id ? &at->second : nullptr;
}

int sim_driver::try_once(op& request) {
  if (random_.chance(options_.interrupted)) return -EINTR;
  op_lowering const& how = *request.lowering;
  if (how.interest != 0) return how.try_now(request, world_);
  int const answer = how.try_now != nullptr ? how.try_now(request, world_) : -EAGAIN;
  return answer == -EAGAIN ? how.block(request, world_) : answer;
}

// Now and then it is done at once.
bool sim_driver::begin_op(op& request) {
  if (random_.chance(0.25)) {
    request.answer = try_once(request);
    if (request.answer != -EAGAIN) return true;
  }
  hold(request);
  plan_attempt(request);
  return false;
}

void sim_driver::plan_attempt(op& request) {
  held& h = held_.at(&request);
  h.is = phase::planned;
  plan_.after(random_.between(duration::zero(), answer_max), [this, &request, id = h.id] {
    held const* const still = find(&request, id);
    if (still != nullptr && still->is == phase::planned) attempt(request);
  });
}

void sim_driver::attempt(op& request) {
  int const answer = try_once(request);
  if (answer == -EAGAIN) {
    held_.at(&request).is = phase::parked;
  } else {
    plan_end(request, answer);
  }
}

void sim_driver::plan_end(driver_request& request, int answer) {
  held& h = held_.at(&request);
  h.is = phase::answered;
  plan_.after(random_.between(duration::zero(), answer_max), [this, &request, answer, id = h.id] {
    if (find(&request, id) != nullptr) end(request, answer);
  });
}

void sim_driver::end(driver_request& request, int answer) {
  waits_.erase(held_.at(&request).id);
  held_.erase(&request);
  --in_flight_;
  trace_.add(static_cast<std::uint64_t>(plan_.now().time_since_epoch().count()));
  trace_.add(static_cast<std::uint64_t>(answer));
  request.finish_request(answer, 0);
}

void sim_driver::plan_cancel(driver_request& request) {
  auto const at = held_.find(&request);
  if (at == held_.end() || at->second.is == phase::answered) return;  // too late
  plan_.after(random_.between(duration::zero(), answer_max), [this, &request, id = at->second.id] {
    held const* const still = find(&request, id);
    if (still != nullptr && still->is != phase::answered) end(request, -ECANCELED);
  });
}

void sim_driver::cancel(op& request) noexcept {
  request.cancel_asked = true;
  plan_cancel(request);
}

void sim_driver::watch(fd_wait& wait) {
  if (!world_.is_open(wait.fd())) return wait.finish_request(-EBADF, 0);
  hold(wait);
  waits_.emplace(last_id_, &wait);
  look(wait);
}

void sim_driver::look(fd_wait& wait) {
  int const there = world_.ready(wait.fd()) & (wait.events() | POLLERR | POLLHUP | POLLNVAL);
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

void sim_driver::get_stuck(char const* why) {
  PLAIT_CHECK(!std::exchange(stuck_, true) && on_stuck,
              "a simulated program that was cancelled, since nothing could happen any more, does not "
              "end: look for a wait in a shield or in a cleanup");
  on_stuck(why);
}

void sim_driver::park(time_point deadline) {
  plan_.move_to(plan_.now() + random_.between(step_min, step_max));
  if (plan_.run_due() != 0 || deadline <= plan_.now()) return;
  time_point const next = std::min(plan_.next(), deadline);
  if (next == no_deadline) return get_stuck("nothing can happen any more, and tasks wait");
  if (next - begin_ > options_.time_limit && !stuck_) return get_stuck("the time limit was reached");
  plan_.move_to(next);
  plan_.run_due();
}

}  // namespace plait::io::sim
