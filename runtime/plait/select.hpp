// select: waits for several things at once and takes exactly one of them.
//
//     auto const got = co_await plait::select(orders.receive(), plait::sleep_for(1s), shutdown.wait());
//     switch (got.index()) {
//       case 0: handle(std::get<0>(got)); ...
//
// Gives a std::variant: its index is that of the case that took effect, its value that of the case
// (std::monostate where it has none). Where that case fails, select throws what it throws. A case is an
// operation that is claimed when it is handed over (`claimable`): a channel's send or receive, a lock, an
// event, a timer, a join handle, readiness of a descriptor. The moment one is granted, the others are
// withdrawn, before anything else runs: a loser has taken nothing, so that nothing need be given back.
// Of several that are ready, each has the same chance, whatever their order; `otherwise()` is taken where
// none is ready, without suspending.
//
// A cancel point. Nothing is allocated. One scheduler's thread.
#pragma once

#include <plait/detail/splitmix64.hpp>
#include <plait/operation.hpp>
#include <plait/scheduler.hpp>
#include <plait/task.hpp>
#include <plait/when.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace plait {

// An operation of which another can be the winner without anything being lost: once it is cancelled it
// takes no effect, or has an effect that nobody misses.
template <class Op>
concept claimable = awaitable_operation<Op> && requires { requires Op::claimable; };

namespace detail {

// The case that is taken where no other is ready.
class otherwise_operation : public operation {
 public:
  static constexpr bool claimable = true;

  bool start(task_state&) noexcept {
    complete_inline(status::done);
    return false;
  }
  void result() const noexcept {}

 private:
  void cancel() noexcept override {}
};

// What a select does that does not depend on the types of its cases.
//
//   start: the cases in random order, until one finishes at once -> that one wins
//          else suspended; the first that completes wins
//   win:   the others are cancelled at once; what a driver holds may take until its next turn
//   end:   when no case is pending any more
class select_base : public operation {
 public:
  static constexpr bool claimable = true;

  bool waits_for(std::size_t n, wait_info& into) const noexcept override;
  bool refuse_deadlock() noexcept override;

 protected:
  static constexpr std::size_t nobody = static_cast<std::size_t>(-1);

  struct select_case : stand_in {
    select_case(select_base& of_select, std::size_t at, operation& waits, task_state& waiting) noexcept
        : stand_in(&completed, waiting), of(&of_select), op(&waits), index(at) {}

    select_base* of;
    operation* op;
    std::size_t index;
    bool pending = false;
  };

  using start_fn = bool (*)(select_base& self, std::size_t index);

  select_base() noexcept = default;
  select_base(select_base&&) noexcept = default;

  // `order` has room for the index of each case.
  bool start_cases(task_state& task, std::span<std::optional<select_case>> cases,
                   std::span<std::uint8_t> order, start_fn start_one, bool last_is_otherwise);
  std::size_t winner() const noexcept { return winner_; }
  void rethrow_failed_start() const {
    if (failed_start_ != nullptr) [[unlikely]] std::rethrow_exception(failed_start_);
  }

 private:
  static void completed(root_frame* which);
  void cancel() noexcept override;
  void withdraw_all() noexcept;

  std::span<std::optional<select_case>> cases_;
  std::size_t pending_ = 0;
  std::size_t winner_ = nobody;
  bool walking_ = false;  // over the cases, which are not to end the select meanwhile
  std::exception_ptr failed_start_;
};

}  // namespace detail

template <claimable... Ops>
class select_operation : public detail::select_base {
 public:
  using value_type =
      std::variant<value_or_unit_t<std::remove_cvref_t<decltype(std::declval<Ops&>().result())>>...>;

  explicit select_operation(Ops&&... ops) noexcept : ops_(std::move(ops)...) {}
  select_operation(select_operation&& other) noexcept
      : select_base(std::move(other)), ops_(std::move(other.ops_)) {}

  bool start(detail::task_state& task) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (cases_[I].emplace(*this, I, std::get<I>(ops_), task), ...);
    }(std::index_sequence_for<Ops...>());
    constexpr bool has_otherwise =
        std::is_same_v<std::tuple_element_t<count - 1, std::tuple<Ops...>>, detail::otherwise_operation>;
    return start_cases(task, cases_, order_, &start_one, has_otherwise);
  }

  value_type result() {
    rethrow_failed_start();
    std::optional<value_type> got;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((winner() == I ? take<I>(got) : void()), ...);
    }(std::index_sequence_for<Ops...>());
    return std::move(*got);
  }

 private:
  static constexpr std::size_t count = sizeof...(Ops);
  static_assert(count < 256, "a select has at most 255 cases");

  static bool start_one(select_base& base, std::size_t index) {
    auto& self = static_cast<select_operation&>(base);
    bool started = false;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((index == I ? void(started = std::get<I>(self.ops_).start(*self.cases_[I])) : void()), ...);
    }(std::index_sequence_for<Ops...>());
    return started;
  }

  template <std::size_t I>
  void take(std::optional<value_type>& into) {
    auto& op = std::get<I>(ops_);
    if constexpr (requires { op.finish(); }) op.finish();
    if constexpr (std::is_void_v<decltype(op.result())>) {
      op.result();
      into.emplace(std::in_place_index<I>);
    } else {
      into.emplace(std::in_place_index<I>, op.result());
    }
  }

  std::tuple<Ops...> ops_;
  std::array<std::optional<select_case>, count> cases_;
  std::array<std::uint8_t, count> order_;
};

// The last case of a select: taken where no other is ready.
inline detail::otherwise_operation otherwise() noexcept { return detail::otherwise_operation(); }

// As described above; operations are passed as they are made, join handles by reference.
template <class... As>
  requires(sizeof...(As) > 0)
auto select(As&&... cases) {
  return select_operation<decltype(detail::as_task_or_operation(std::forward<As>(cases)))...>(
      detail::as_task_or_operation(std::forward<As>(cases))...);
}

}  // namespace plait
