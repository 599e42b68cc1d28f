// Every item to every receiver, in order: news, of which the latest `capacity` are kept.
//
//     plait::broadcast<event> news(64);
//     auto mine = news.subscribe();                 // of what is sent from now on
//     for (auto got = co_await mine.receive(); got; got = co_await mine.receive()) {
//       if (got->missed != 0) resynchronise();      // it was too slow for so many
//       handle(got->item);
//     }
//
// Sending never waits: a receiver that falls behind loses the oldest items, is told how many, and goes on
// with the oldest that is kept, so that one slow receiver holds up nobody. One scheduler's thread; only the
// construction allocates, and T's copies. Receiving is a cancel point and can be a case of a select: who is
// cancelled, or loses, has received nothing. Where T's copy throws, receive throws that, and its item is
// still there. After close() what is kept is still received, then std::nullopt. Receivers must be gone when
// the broadcast is destroyed.
#pragma once

#include <plait/channel/closed.hpp>
#include <plait/detail/news_wait.hpp>
#include <plait/detail/ring.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace plait {

template <class T>
struct broadcast_item {
  T item;
  std::uint64_t missed = 0;  // so many were lost before this one
};

template <class T>
class broadcast {
  static_assert(std::is_copy_constructible_v<T>, "each receiver of a broadcast gets a copy");

 public:
  class receiver;

  // The name is for reports: a literal, or what else outlives the broadcast.
  explicit broadcast(std::size_t capacity, char const* name = nullptr)
      : kept_(room_for(capacity)), capacity_(capacity), name_(name) {}
  broadcast(broadcast const&) = delete;
  broadcast& operator=(broadcast const&) = delete;
  ~broadcast() { PLAIT_CHECK(receivers_ == 0, "a broadcast was destroyed while it has receivers"); }

  // To so many receivers. Where there are none it is kept by nobody. Throws channel_closed.
  std::size_t send(T item) {
    if (closed_) detail::throw_channel_closed();
    kept_.push(std::move(item));
    if (kept_.size() > capacity_) kept_.pop();
    ++sent_;
    waiting_.grant_all();
    return receivers_;
  }
  // Again: nothing.
  void close() noexcept {
    closed_ = true;
    waiting_.grant_all();
  }
  bool closed() const noexcept { return closed_; }
  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t receivers() const noexcept { return receivers_; }

  // It receives what is sent from now on.
  [[nodiscard]] receiver subscribe() noexcept { return receiver(*this); }

 private:
  static std::size_t room_for(std::size_t capacity) {
    if (capacity == 0) throw std::invalid_argument("a broadcast keeps one item at least");
    return capacity + 1;  // the new one is there before the oldest goes: it may throw
  }
  std::uint64_t first() const noexcept { return sent_ - kept_.size(); }

  detail::ring<T> kept_;
  std::size_t capacity_;
  std::uint64_t sent_ = 0;  // ever
  std::size_t receivers_ = 0;
  bool closed_ = false;
  char const* name_;
  detail::wait_queue waiting_;
};

// One task's place in the news. It must not be moved while it waits.
template <class T>
class broadcast<T>::receiver {
 public:
  explicit receiver(broadcast& of) noexcept : of_(&of), next_(of.sent_) { ++of.receivers_; }
  receiver(receiver&& other) noexcept : of_(std::exchange(other.of_, nullptr)), next_(other.next_) {}
  receiver& operator=(receiver&&) = delete;
  ~receiver() {
    if (of_ != nullptr) --of_->receivers_;
  }

  // co_await it: gives std::optional<broadcast_item<T>>, empty where it is closed and all was received.
  detail::news_wait<receiver> receive() noexcept { return detail::news_wait<receiver>(*this); }
  // Empty where nothing is there, or will be.
  [[nodiscard]] std::optional<broadcast_item<T>> try_receive() { return read(); }

 private:
  friend class detail::news_wait<receiver>;
  static constexpr char const* what = "receive";

  bool has_news() const noexcept { return next_ != of_->sent_ || of_->closed_; }
  std::optional<broadcast_item<T>> read() {
    if (next_ == of_->sent_) return std::nullopt;
    std::uint64_t const first = of_->first();
    std::uint64_t const missed = next_ < first ? first - next_ : 0;
    std::uint64_t const at = next_ + missed;
    std::optional<broadcast_item<T>> got(
        broadcast_item<T>{of_->kept_[static_cast<std::size_t>(at - first)], missed});
    next_ = at + 1;
    return got;
  }
  detail::wait_queue& queue() noexcept { return of_->waiting_; }
  char const* name() const noexcept { return of_->name_; }

  broadcast* of_;
  std::uint64_t next_;  // the number of the item that it receives next
};

}  // namespace plait
