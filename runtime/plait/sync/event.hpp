// Something that has happened, or not: tasks of one scheduler wait for it.
//
//     plait::event ready;
//     co_await ready.wait();   // goes on at once where it is set
//
// set() wakes everyone who waits at that moment, also where clear() follows at once: what was waited for
// did happen. One scheduler's thread. Waiting is a cancel point. Nobody may wait when it is destroyed.
#pragma once

#include <plait/detail/wait_queue.hpp>

namespace plait {

class event {
 public:
  class wait_operation;

  // The name is for reports: a literal, or what else outlives the event.
  explicit event(char const* name = nullptr) noexcept : name_(name) {}
  event(event const&) = delete;
  event& operator=(event const&) = delete;

  void set() noexcept {
    set_ = true;
    waiting_.grant_all();
  }
  void clear() noexcept { set_ = false; }
  bool is_set() const noexcept { return set_; }
  // co_await it.
  wait_operation wait() noexcept;

 private:
  bool set_ = false;
  char const* name_;
  detail::wait_queue waiting_;
};

class event::wait_operation : public detail::queued_wait {
 public:
  explicit wait_operation(event& of) noexcept : event_(&of) {}

  bool start(detail::task_state& task) noexcept {
    return enqueue_unless(event_->set_, task, event_->waiting_);
  }
  void result() const { outcome(); }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 private:
  event* event_;
};

inline event::wait_operation event::wait() noexcept { return wait_operation(*this); }

}  // namespace plait
