#include <plait/sync/banker.hpp>

#include <algorithm>
#include <functional>
#include <stdexcept>

namespace plait::detail {

bool bank::is_within(std::size_t const* amounts, std::size_t const* limit) const noexcept {
  return std::equal(amounts, amounts + kinds_, limit, std::less_equal<>());
}

bool bank::holds_something(bank_claim const& c) const noexcept {
  return std::any_of(c.now, c.now + kinds_, [](std::size_t amount) { return amount != 0; });
}

bool bank::can_ask_for(bank_claim const& c, std::size_t const* wanted) const noexcept {
  for (std::size_t k = 0; k < kinds_; ++k) {
    if (wanted[k] > c.most[k] - c.now[k]) return false;
  }
  return true;
}

bool bank::can_end_with(bank_claim const& c, std::size_t const* free) const noexcept {
  for (std::size_t k = 0; k < kinds_; ++k) {
    if (c.most[k] - c.now[k] > free[k]) return false;
  }
  return true;
}

void bank::move(std::size_t const* amounts, std::size_t* from, std::size_t* to) const noexcept {
  for (std::size_t k = 0; k < kinds_; ++k) {
    from[k] -= amounts[k];
    to[k] += amounts[k];
  }
}

void bank::admit(bank_claim& c, std::size_t const* max, std::size_t* held) {
  if (!is_within(max, total_)) throw std::logic_error("more was claimed of a banker than there is");
  c.most = max;
  c.now = held;
  bank_claim** last = &first_;
  while (*last != nullptr) last = &(*last)->next;
  *last = &c;
}

// It held nothing, so that no order has changed.
void bank::dismiss(bank_claim& c) noexcept {
  PLAIT_CHECK(!holds_something(c), "a claim on a banker was destroyed before what was acquired by it");
  for (auto* r = first_waiting(); r != nullptr; r = static_cast<bank_request*>(waiting_.after(*r))) {
    PLAIT_CHECK(r->by_ != &c, "a claim on a banker was destroyed while a task waits by it");
  }
  bank_claim** link = &first_;
  while (*link != &c) link = &(*link)->next;
  *link = c.next;
}

// Calls each(claim) for one that can end with what is free, then for one that can with what that gives back
// as well, and so on, until it says true or nobody is left that can. Who comes first does not matter: what is
// free only grows.
template <class Fn>
void bank::in_safe_order(Fn each) const {
  std::copy_n(available_, kinds_, work_);
  for (bank_claim* c = first_; c != nullptr; c = c->next) c->finished = false;
  for (bool went_on = true; went_on;) {
    went_on = false;
    for (bank_claim* c = first_; c != nullptr; c = c->next) {
      if (c->finished || !can_end_with(*c, work_)) continue;
      if (each(*c)) return;
      std::transform(work_, work_ + kinds_, c->now, work_, std::plus<>());
      c->finished = went_on = true;
    }
  }
}

bool bank::is_safe() const noexcept {
  in_safe_order([](bank_claim const&) { return false; });
  for (bank_claim const* c = first_; c != nullptr; c = c->next) {
    if (!c->finished) return false;
  }
  return true;
}

std::vector<bank_claim const*> bank::safe_sequence() const {
  std::vector<bank_claim const*> sequence;
  in_safe_order([&](bank_claim const& c) {
    sequence.push_back(&c);
    return false;
  });
  return sequence;
}

// The state was safe before. So it is afterwards if this one can end: then there is at least as much free as
// there is now, and the others can end in the order in which they could (Habermann).
bool bank::would_be_safe(bank_claim& by, std::size_t const* wanted) noexcept {
  if (!can_ask_for(by, wanted) || !is_within(wanted, available_)) return false;
  bool can_end = false;
  move(wanted, available_, by.now);
  in_safe_order([&](bank_claim const& c) { return can_end = &c == &by; });
  move(wanted, by.now, available_);
  return can_end;
}

// Whether the first in the queue could have its whole claim although this one and those that have gone
// before it have theirs, as soon as all others have ended. What it needs nothing more of does not matter.
bool bank::leaves_room(bank_claim const& by, bank_request const& first) const noexcept {
  bank_claim const& waits = *first.by_;
  if (&waits == &by) return false;
  for (std::size_t k = 0; k < kinds_; ++k) {
    if (waits.most[k] == waits.now[k]) continue;
    std::size_t wanted = waits.most[k] + by.most[k];
    for (bank_claim const* c = first_; c != nullptr; c = c->next) {
      if (c != &by && c != &waits && c->passed == first.turn_ && holds_something(*c)) wanted += c->most[k];
    }
    if (wanted > total_[k]) return false;
  }
  return true;
}

bank_request* bank::first_waiting() noexcept {
  return waiting_.empty() ? nullptr : &static_cast<bank_request&>(waiting_.front());
}

// For a request in the queue, or (null) one that would come to its end.
bool bank::take(bank_claim& by, std::size_t const* wanted, bank_request const* request) noexcept {
  bank_request const* const first = first_waiting();
  bool const passes = first != nullptr && first != request;
  bool const is_new = !holds_something(by);
  if (passes && is_new && !leaves_room(by, *first)) return false;
  if (!would_be_safe(by, wanted)) return false;
  if (is_new) by.passed = passes ? first->turn_ : 0;
  move(wanted, available_, by.now);
  return true;
}

bool bank::try_take(bank_claim& by, std::size_t const* wanted) {
  if (!can_ask_for(by, wanted)) throw std::logic_error("more was asked of a banker than was claimed");
  if (!take(by, wanted, nullptr)) return false;
  by.holder = nullptr;
  return true;
}

void bank::give_back(bank_claim& by, std::size_t const* amounts) noexcept {
  move(amounts, by.now, available_);
  serve();
}

bank_request* bank::serve_one() noexcept {
  for (auto* r = first_waiting(); r != nullptr; r = static_cast<bank_request*>(waiting_.after(*r))) {
    if (take(*r->by_, r->wanted_, r)) return r;
  }
  return nullptr;
}

// From the front each time: where one is the case of a select, others leave the queue with it.
void bank::serve() noexcept {
  while (bank_request* const r = serve_one()) {
    r->by_->acquired_by(r->task());
    r->grant();
  }
}

bool bank_request::start_with(task_state& task, std::size_t const* wanted) {
  bank& from = by_->owner;
  bool const taken = from.try_take(*by_, wanted);
  if (taken) {
    by_->acquired_by(real_task(task));
  } else {
    wanted_ = wanted;
    turn_ = ++from.turns_;
  }
  return enqueue_unless(taken, task, from.waiting_);
}

void bank_request::withdrawn() noexcept { by_->owner.serve(); }

// Each of those that hold something may end it, and so may the first in the queue, which others have to let
// pass.
bool bank_request::waits_for(std::size_t n, wait_info& into) const noexcept {
  bank& from = by_->owner;
  bank_request const* const first = from.first_waiting();
  into = wait_info{.what = "banker", .name = from.name_, .object = &from, .from_outside = false};
  bool nobody = true;
  for (bank_claim const* c = from.first_; c != nullptr; c = c->next) {
    bool const holds = from.holds_something(*c);
    if (c == by_ || (!holds && c != first->by_)) continue;
    nobody = false;
    if (n-- != 0) continue;
    into.object = c;
    into.holder = holds ? c->holder : &first->task();
    if (holds) into.held_at = c->held_at;
    return true;
  }
  return nobody && n == 0;
}

}  // namespace plait::detail
