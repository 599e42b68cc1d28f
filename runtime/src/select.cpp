#include <plait/select.hpp>

#include <numeric>

namespace plait::detail {

bool select_base::start_cases(task_state& task, std::span<std::optional<select_case>> cases,
                              std::span<std::uint8_t> order, start_fn start_one, bool last_is_otherwise) {
  cases_ = cases;
  std::iota(order.begin(), order.end(), std::uint8_t{0});
  std::size_t left = cases_.size() - (last_is_otherwise ? 1 : 0);
  std::uint64_t& seed = scheduler::current().select_seed;
  walking_ = true;
  for (std::size_t const shuffled = left; left > 0 && winner_ == nobody; --left) {
    std::size_t const at = shuffled - left;
    std::swap(order[at], order[at + splitmix64(seed) % left]);  // Fisher and Yates, as far as needed
    select_case& next = *cases[order[at]];
    try {
      next.pending = start_one(*this, next.index);
    } catch (...) {
      failed_start_ = std::current_exception();
      winner_ = next.index;
      break;
    }
    if (next.pending) {
      ++pending_;
    } else {
      winner_ = next.index;
    }
  }
  if (winner_ == nobody && last_is_otherwise) {
    start_one(*this, cases_.size() - 1);
    winner_ = cases_.size() - 1;
  }
  if (winner_ != nobody) withdraw_all();
  walking_ = false;
  if (pending_ == 0) {
    complete_inline(status::done);
    return false;
  }
  begin(task);
  return true;
}

// A join's operation is not told that it has completed, so what was not cancelled is done.
void select_base::completed(root_frame* which) {
  auto& ended = static_cast<select_case&>(*which);
  select_base& self = *ended.of;
  ended.pending = false;
  --self.pending_;
  if (self.winner_ == nobody && ended.op->state() != status::cancelled) {
    self.winner_ = ended.index;
    if (!self.walking_) self.withdraw_all();
  }
  if (self.pending_ == 0 && !self.walking_) {
    self.complete(self.winner_ == nobody ? status::cancelled : status::done);
  }
}

void select_base::withdraw_all() noexcept {
  bool const walked = std::exchange(walking_, true);
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    if (cases_[i]->pending) cases_[i]->blocked->cancel();
  }
  walking_ = walked;
}

void select_base::cancel() noexcept {
  withdraw_all();
  if (pending_ == 0) complete(winner_ == nobody ? status::cancelled : status::done);
}

bool select_base::waits_for(std::size_t n, wait_info& into) const noexcept {
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    if (!cases_[i]->pending) continue;
    for (std::size_t k = 0; cases_[i]->blocked->waits_for(k, into); ++k) {
      if (n-- == 0) return true;
    }
  }
  return false;
}

bool select_base::refuse_deadlock() noexcept {
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    if (cases_[i]->pending && cases_[i]->blocked->refuse_deadlock()) return true;
  }
  return false;
}

}  // namespace plait::detail
