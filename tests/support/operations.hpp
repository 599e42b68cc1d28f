// Operations whose completion is the test's to decide.
#pragma once

#include <plait/operation.hpp>
#include <plait/scheduler.hpp>

#include <utility>

namespace plait::test {

// Finishes inside start.
class ready_operation : public operation {
 public:
  explicit ready_operation(int value = 0) noexcept : value_(value) {}
  bool start(detail::task_state&) noexcept {
    complete_inline(status::done);
    return false;
  }
  int result() const noexcept { return value_; }

 private:
  void cancel() noexcept override {}
  int value_;
};

// What one task at a time waits for until the test lets it go. With `obedient` false a cancellation
// is only noted: the test says later how it ended, as a kernel does.
class gate {
 public:
  class wait_operation : public operation {
   public:
    explicit wait_operation(gate& g) noexcept : gate_(&g) {}
    bool start(detail::task_state& task) {
      PLAIT_CHECK(gate_->waiting_ == nullptr, "two tasks wait at the same gate of a test");
      gate_->waiting_ = this;
      begin(task);
      return true;
    }
    int result() const noexcept { return value_; }

   private:
    friend class gate;
    void cancel() noexcept override {
      ++gate_->cancels_asked_;
      if (gate_->obedient && gate_->waiting_ == this) gate_->end(status::cancelled, 0);
    }
    gate* gate_;
    int value_ = 0;
  };

  gate() = default;
  gate(gate const&) = delete;
  gate& operator=(gate const&) = delete;
  ~gate() { PLAIT_CHECK(waiting_ == nullptr, "a gate of a test was destroyed while a task waits"); }

  bool obedient = true;

  wait_operation wait() noexcept { return wait_operation(*this); }
  bool occupied() const noexcept { return waiting_ != nullptr; }
  int cancels_asked() const noexcept { return cancels_asked_; }

  // On the scheduler's thread. Whoever waits goes on, with this value or as cancelled.
  void open(int value = 0) noexcept { end(operation::status::done, value); }
  void refuse() noexcept { end(operation::status::cancelled, 0); }

 private:
  void end(operation::status how, int value) noexcept {
    wait_operation* const w = std::exchange(waiting_, nullptr);
    PLAIT_CHECK(w != nullptr, "nobody waits at the gate that a test opens");
    w->value_ = value;
    w->complete(how);
  }

  wait_operation* waiting_ = nullptr;
  int cancels_asked_ = 0;
};

// Counts copies that are alive, so that a missing or a double destruction shows.
class counted {
 public:
  explicit counted(int value = 0) noexcept : value_(value) { ++alive; }
  counted(counted const& other) noexcept : value_(other.value_) { ++alive; }
  counted(counted&& other) noexcept : value_(std::exchange(other.value_, -1)) { ++alive; }
  counted& operator=(counted const&) = default;
  ~counted() { --alive; }
  int value() const noexcept { return value_; }

  static inline int alive = 0;

 private:
  int value_;
};

}  // namespace plait::test
