// Waiting for news, within one scheduler: set wakes everybody who waits, and stays set until reset.
#pragma once

#include <plait/operation.hpp>
#include <plait/scheduler.hpp>

namespace plait::detail {

class pool_event {
 public:
  class wait_operation : public operation {
   public:
    explicit wait_operation(pool_event& on) noexcept : on_(&on) {}

    bool start(task_state& task) noexcept {
      if (on_->set_) {
        complete_inline(status::done);
        return false;
      }
      next_ = on_->waiting_;
      on_->waiting_ = this;
      begin(task);
      return true;
    }
    void result() const noexcept {}
    bool waits_for(std::size_t n, wait_info& into) const noexcept override {
      into = wait_info();
      into.what = "process pool";
      return n == 0;
    }

   private:
    friend class pool_event;

    void cancel() noexcept override {
      for (wait_operation** at = &on_->waiting_; *at != nullptr; at = &(*at)->next_) {
        if (*at != this) continue;
        *at = next_;
        return complete(status::cancelled);
      }
    }
    void wake() noexcept { complete(status::done); }

    pool_event* on_;
    wait_operation* next_ = nullptr;
  };

  wait_operation wait() noexcept { return wait_operation(*this); }
  void reset() noexcept { set_ = false; }
  void set() noexcept {
    set_ = true;
    while (wait_operation* const first = waiting_) {
      waiting_ = first->next_;
      first->wake();
    }
  }
  bool is_set() const noexcept { return set_; }

 private:
  wait_operation* waiting_ = nullptr;
  bool set_ = false;
};

}  // namespace plait::detail
