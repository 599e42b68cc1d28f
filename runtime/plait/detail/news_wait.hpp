// The wait of a receiver for what all receivers see: who gives news wakes everyone, and each reads what
// is there when his task goes on. So a wait that is cancelled, or loses in a select, has read nothing.
#pragma once

#include <plait/detail/quick_awaiter.hpp>
#include <plait/detail/wait_queue.hpp>

namespace plait::detail {

// Receiver: `has_news()`, `read()`, `queue()` and, for reports, `what`, `name()`.
template <class Receiver>
class [[nodiscard("co_await this: it waits for nothing before")]] news_wait : public queued_wait {
 public:
  using awaiter_for_plait = quick_awaiter<news_wait>;

  explicit news_wait(Receiver& receiver) noexcept : receiver_(&receiver) {}

  bool start_at_once() noexcept {
    if (!receiver_->has_news()) return false;
    complete_inline(status::done);
    return true;
  }
  bool start(task_state& task) noexcept {
    return enqueue_unless(receiver_->has_news(), task, receiver_->queue());
  }
  auto result() {
    outcome();
    return receiver_->read();
  }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override {
    return describe(n, into, Receiver::what, receiver_->name(), &receiver_->queue());
  }

 private:
  Receiver* receiver_;
};

}  // namespace plait::detail
