// One value, or one error, from one task to another: an answer.
//
//     plait::oneshot<int> answer;
//     group.spawn(ask, answer.make_sender());       // there: sender.send(42)
//     int const got = co_await answer.receive();
//
// Neither end can wait for the other in vain: a sender that is destroyed without having sent ends the
// receive with sender_gone, and sending where the oneshot is gone says so and leaves the value with the
// sender. The value is handed over once. One scheduler's thread; nothing is allocated. Receiving is a cancel
// point and can be a case of a select: who is cancelled, or loses, has taken nothing and may try again.
// Where T's move throws, send throws that and nothing was sent. Nobody may wait when it is destroyed.
#pragma once

#include <plait/channel/closed.hpp>
#include <plait/detail/quick_awaiter.hpp>
#include <plait/detail/wait_queue.hpp>

#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace plait {

template <class T>
class oneshot {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a oneshot carries a value");

 public:
  class sender;
  class receive_operation;

  // The name is for reports: a literal, or what else outlives the oneshot.
  explicit oneshot(char const* name = nullptr) noexcept : name_(name) {}
  oneshot(oneshot const&) = delete;
  oneshot& operator=(oneshot const&) = delete;
  ~oneshot() {
    PLAIT_CHECK(waiting_.empty(), "a oneshot was destroyed while a task waits for it");
    if (sender_ != nullptr) sender_->to_ = nullptr;
  }

  // There is one: asking again throws std::logic_error.
  [[nodiscard]] sender make_sender() { return sender(*this); }

  // co_await it: gives the value; throws what the sender failed with, or sender_gone, or std::logic_error
  // where the value was received before.
  receive_operation receive() noexcept { return receive_operation(*this); }

  // Whether receiving would not wait.
  bool ready() const noexcept { return state_ != state::open; }

 private:
  enum class state : std::uint8_t { open, sent, failed, gone, taken };

  void accept(T&& value) {
    if (waiting_.empty()) {
      value_.emplace(std::move(value));
      state_ = state::sent;
      return;
    }
    static_cast<receive_operation&>(waiting_.front()).value_.emplace(std::move(value));
    waiting_.grant_front();
    end(state::taken);
  }
  void end(state how) noexcept {
    state_ = how;
    waiting_.grant_all();
  }
  // True where the wait is over, with a value or without.
  bool take(std::optional<T>& into) {
    if (state_ == state::sent) {
      into.emplace(std::move(*value_));
      value_.reset();
      state_ = state::taken;
    }
    return state_ != state::open;
  }
  [[noreturn]] void throw_reason() const {
    if (state_ == state::failed) std::rethrow_exception(failure_);
    if (state_ == state::gone) detail::throw_sender_gone();
    throw std::logic_error("oneshot: its value was received already");
  }

  std::optional<T> value_;
  std::exception_ptr failure_;
  sender* sender_ = nullptr;
  state state_ = state::open;
  bool has_had_sender_ = false;
  char const* name_;
  detail::wait_queue waiting_;
};

// The end that sends. It can be moved into the task that has to answer, and may outlive the oneshot.
template <class T>
class oneshot<T>::sender {
 public:
  explicit sender(oneshot& to) : to_(&to) {
    if (std::exchange(to.has_had_sender_, true)) throw std::logic_error("oneshot: it has one sender");
    to.sender_ = this;
  }
  sender(sender&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {
    if (to_ != nullptr) to_->sender_ = this;
  }
  sender& operator=(sender&&) = delete;
  ~sender() {
    if (oneshot* const to = let_go()) to->end(state::gone);
  }

  // Without waiting, and once. False: the receiver is gone, or something was sent; `value` is untouched.
  [[nodiscard]] bool send(T&& value) {
    if (to_ == nullptr) return false;
    to_->accept(std::move(value));
    let_go();
    return true;
  }
  [[nodiscard]] bool send(T const& value)
    requires std::is_copy_constructible_v<T>
  {
    return to_ != nullptr && send(T(value));
  }
  // The receive throws it. False as above.
  bool fail(std::exception_ptr error) noexcept {
    oneshot* const to = let_go();
    if (to == nullptr) return false;
    to->failure_ = std::move(error);
    to->end(state::failed);
    return true;
  }
  // Whether something sent now could still be received.
  bool is_wanted() const noexcept { return to_ != nullptr; }

 private:
  friend class oneshot;

  oneshot* let_go() noexcept {
    if (to_ != nullptr) to_->sender_ = nullptr;
    return std::exchange(to_, nullptr);
  }

  oneshot* to_;  // null where nothing can be sent any more
};

template <class T>
class [[nodiscard("co_await this: it receives nothing before")]] oneshot<T>::receive_operation
    : public detail::queued_wait {
 public:
  using awaiter_for_plait = detail::quick_awaiter<receive_operation>;

  explicit receive_operation(oneshot& from) noexcept : from_(&from) {}

  bool start_at_once() {
    if (!from_->take(value_)) return false;
    complete_inline(status::done);
    return true;
  }
  bool start(detail::task_state& task) { return enqueue_unless(from_->take(value_), task, from_->waiting_); }
  T result() {
    outcome();
    if (!value_) from_->throw_reason();
    return std::move(*value_);
  }
  bool waits_for(std::size_t n, wait_info& into) const noexcept override {
    return describe(n, into, "receive", from_->name_, from_);
  }

 private:
  friend class oneshot;

  oneshot* from_;
  std::optional<T> value_;
};

}  // namespace plait
