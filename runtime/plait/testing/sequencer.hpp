// Numbered turns, so that a test decides in which order tasks get past chosen lines; after Trio's
// testing.Sequencer.
//
//     co_await order.turn(2);   // goes on when turns 0 and 1 have been taken
//
// What follows runs up to its next suspension before turn 3 goes on. Each number is taken once. A
// turn that is cancelled breaks the sequence: whoever waits, and whoever comes later, gets
// sequencer_broken instead of waiting for ever. Belongs to one scheduler's thread.
#pragma once

#include <plait/detail/config.hpp>
#include <plait/operation.hpp>
#include <plait/scheduler.hpp>

#include <stdexcept>
#include <string>

namespace plait::testing {

class sequencer_broken : public std::logic_error {
 public:
  explicit sequencer_broken(int turn)
      : std::logic_error("turn " + std::to_string(turn) +
                         " will not come: a task was cancelled while it waited for its turn") {}
};

class sequencer {
 public:
  class turn_operation : public operation {
   public:
    turn_operation(sequencer& in, int number) noexcept : in_(&in), number_(number) {}

    bool start(detail::task_state& task) {
      PLAIT_CHECK(number_ >= in_->next_, "a turn of a sequencer was taken twice");
      if (in_->broken_ || number_ == in_->next_) {
        complete_inline(status::done);
        return false;
      }
      next_waiting_ = in_->waiting_;
      in_->waiting_ = this;
      begin(task);
      return true;
    }

    void result() {
      if (in_->broken_) throw sequencer_broken(number_);
      in_->next_ = number_ + 1;
      if (turn_operation* const following = in_->take(number_ + 1)) following->go_on();
    }

    bool waits_for(std::size_t n, wait_info& into) const noexcept override {
      into = wait_info();
      into.what = "turn of a sequencer";
      into.from_outside = false;
      return n == 0;
    }

   private:
    friend class sequencer;

    void go_on() noexcept { complete(status::done); }
    void cancel() noexcept override {
      if (in_->take(number_) == nullptr) return;  // goes on already
      complete(status::cancelled);
      in_->break_all();
    }

    sequencer* in_;
    turn_operation* next_waiting_ = nullptr;
    int number_;
  };

  sequencer() = default;
  sequencer(sequencer const&) = delete;
  sequencer& operator=(sequencer const&) = delete;
  ~sequencer() {
    PLAIT_CHECK(waiting_ == nullptr, "a sequencer was destroyed while a task waited for its turn");
  }

  [[nodiscard("co_await this: ... waits for the turn")]] turn_operation turn(int number) noexcept {
    return turn_operation(*this, number);
  }
  // The number of the turn that comes next.
  int next() const noexcept { return next_; }

 private:
  turn_operation* take(int number) noexcept {
    for (turn_operation** at = &waiting_; *at != nullptr; at = &(*at)->next_waiting_) {
      turn_operation* const found = *at;
      if (found->number_ != number) continue;
      *at = found->next_waiting_;
      return found;
    }
    return nullptr;
  }

  void break_all() noexcept {
    broken_ = true;
    while (turn_operation* const w = waiting_) {
      waiting_ = w->next_waiting_;
      w->go_on();
    }
  }

  turn_operation* waiting_ = nullptr;
  int next_ = 0;
  bool broken_ = false;
};

}  // namespace plait::testing
