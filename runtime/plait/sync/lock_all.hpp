// Several mutexes at once, all or none.
//
//     auto const held = co_await plait::lock_all(from.lock, to.lock);   // until the end of the block
//
// Taken one after the other in one order, whatever the order of the arguments: that of their
// addresses. So tasks that take their locks by lock_all alone are never in a deadlock. A cancel point, which
// gives back what was taken; as is deadlock_error. Awaiting it with one mutex twice throws std::logic_error.
// Nothing is allocated. One scheduler's thread.
#pragma once

#include <plait/operation.hpp>
#include <plait/sync/mutex.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

namespace plait {

template <std::size_t N>
class [[nodiscard("the mutexes are unlocked when their guard goes")]] lock_all_guard {
 public:
  explicit lock_all_guard(std::array<mutex*, N> const& locked) noexcept : locked_(locked) {}
  lock_all_guard(lock_all_guard&& other) noexcept : locked_(other.locked_) { other.locked_.fill(nullptr); }
  lock_all_guard& operator=(lock_all_guard&& other) noexcept {
    std::swap(locked_, other.locked_);
    return *this;
  }
  ~lock_all_guard() { unlock(); }

  void unlock() noexcept {
    for (std::size_t i = N; i > 0; --i) {
      if (mutex* const m = std::exchange(locked_[i - 1], nullptr)) m->unlock();
    }
  }

 private:
  std::array<mutex*, N> locked_;
};

class lock_all_base : public operation {
 public:
  static constexpr bool claimable = true;

  bool waits_for(std::size_t n, wait_info& into) const noexcept override {
    return current_->waits_for(n, into);
  }
  bool refuse_deadlock() noexcept override { return current_->refuse_deadlock(); }

 protected:
  lock_all_base() noexcept = default;
  lock_all_base(lock_all_base&& other) noexcept : operation(std::move(other)) {}

  bool start_all(detail::task_state& task, std::span<mutex*> wanted);
  void throw_if_refused() const { detail::throw_if(current_->how()); }

 private:
  struct step : detail::stand_in {
    explicit step(lock_all_base& of_all, detail::task_state& task) noexcept
        : stand_in(&stepped, task), of(&of_all) {}
    lock_all_base* of;
  };

  void cancel() noexcept override { static_cast<cancellable&>(*current_).cancel(); }
  void look_at_order(detail::task_state& task) const;
  bool go_on() noexcept;
  void give_back() noexcept;
  static void stepped(detail::root_frame* which);

  std::span<mutex*> wanted_;  // in the order in which they are taken
  std::size_t held_ = 0;
  bool checks_order_ = false;
  std::optional<step> step_;
  std::optional<mutex::lock_operation> current_;
};

template <std::size_t N>
class lock_all_operation : public lock_all_base {
 public:
  explicit lock_all_operation(std::array<mutex*, N> const& wanted) noexcept : all_(wanted) {}
  lock_all_operation(lock_all_operation&& other) noexcept
      : lock_all_base(std::move(other)), all_(other.all_) {}

  bool start(detail::task_state& task) { return start_all(task, all_); }
  lock_all_guard<N> result() {
    throw_if_refused();
    return lock_all_guard<N>(all_);
  }

 private:
  std::array<mutex*, N> all_;
};

template <class... Mutexes>
  requires(sizeof...(Mutexes) > 0 && (std::is_same_v<Mutexes, mutex> && ...))
lock_all_operation<sizeof...(Mutexes)> lock_all(Mutexes&... all) noexcept {
  return lock_all_operation<sizeof...(Mutexes)>({&all...});
}

}  // namespace plait
