// The banker's algorithm: resources of several kinds, given out so that no deadlock over them can come
// about, to tasks that say beforehand how much they may hold at most (E. W. Dijkstra, EWD 108, 1965;
// A. N. Habermann, "Prevention of system deadlocks", CACM 12(7), 1969).
//
//     plait::banker memory({512, 64});                  // buffers, descriptors
//     auto mine = memory.claim({100, 8}, "index");      // the most that this task will hold at once
//     auto const some = co_await mine.acquire({60, 2});   // given back at the end of the block
//     auto const more = co_await mine.acquire({40, 0});
//
// A state is safe where the tasks can end one after the other, each with what is free and what those before
// it have given back, even if each asks for all that it has claimed. acquire() waits while not enough is
// there, and where the state would not be safe afterwards. So whoever has something can end, unless it waits
// for something else that never comes.
//
// First come, first served, but a request may go before those that wait longer, where that is safe: that of
// a task which holds something already, for others wait until it ends; and any other that leaves the first
// in the queue all that it may need, even if each that has gone before it takes its whole claim. So the first
// waits for none but those that held something when it became the first, and nobody starves.
//
// A claim is one task's. It outlives what it holds and waits for, and the banker outlives its claims. Waiting
// is a cancel point and can be a case of a select; it allocates nothing. One scheduler's thread. A request
// costs a time that grows with the square of the number of claims.
#pragma once

#include <plait/detail/wait_queue.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <source_location>
#include <utility>
#include <vector>

namespace plait {

namespace detail {

class bank;

// One of the list of a bank's claims. The arrays are of as many amounts as there are kinds.
struct bank_claim {
  explicit bank_claim(bank& of, char const* called) noexcept : owner(of), name_or_null(called) {}

  void acquired_by(task_state const& task) noexcept {
    holder = &task;
    held_at = task.leaf->await_at;
  }

  bank& owner;
  char const* name_or_null;
  std::size_t const* most = nullptr;
  std::size_t* now = nullptr;
  bank_claim* next = nullptr;
  std::uint64_t passed = 0;  // the turn of the first in the queue before which it has gone, or 0
  bool finished = false;     // while an order is looked for
  task_state const* holder = nullptr;  // that has acquired something last
  std::source_location held_at{};
};

class bank_request : public queued_wait {
 public:
  bool waits_for(std::size_t n, wait_info& into) const noexcept override;

 protected:
  explicit bank_request(bank_claim& by) noexcept : by_(&by) {}

  bool start_with(task_state& task, std::size_t const* wanted);
  bank_claim& by() const noexcept { return *by_; }

 private:
  friend class bank;
  void withdrawn() noexcept override;

  bank_claim* by_;
  std::size_t const* wanted_ = nullptr;
  std::uint64_t turn_ = 0;  // never used twice
};

// What a banker does, whatever the number of kinds.
class bank {
 public:
  explicit bank(std::size_t kinds, std::size_t const* total, std::size_t* available, std::size_t* work,
                char const* name) noexcept
      : kinds_(kinds), total_(total), available_(available), work_(work), name_(name) {}
  ~bank() { PLAIT_CHECK(first_ == nullptr, "a banker was destroyed before what was claimed of it"); }
  bank(bank const&) = delete;
  bank& operator=(bank const&) = delete;

  void admit(bank_claim& c, std::size_t const* max, std::size_t* held);
  void dismiss(bank_claim& c) noexcept;
  bool try_take(bank_claim& by, std::size_t const* wanted);
  void give_back(bank_claim& by, std::size_t const* amounts) noexcept;
  bool would_be_safe(bank_claim& by, std::size_t const* wanted) noexcept;
  bool is_safe() const noexcept;
  std::vector<bank_claim const*> safe_sequence() const;

 private:
  friend class bank_request;

  bool is_within(std::size_t const* amounts, std::size_t const* limit) const noexcept;
  bool holds_something(bank_claim const& c) const noexcept;
  bool can_ask_for(bank_claim const& c, std::size_t const* wanted) const noexcept;
  bool can_end_with(bank_claim const& c, std::size_t const* free) const noexcept;
  void move(std::size_t const* amounts, std::size_t* from, std::size_t* to) const noexcept;
  bool leaves_room(bank_claim const& by, bank_request const& first) const noexcept;
  bool take(bank_claim& by, std::size_t const* wanted, bank_request const* request) noexcept;
  bank_request* serve_one() noexcept;
  void serve() noexcept;
  bank_request* first_waiting() noexcept;
  template <class Fn>
  void in_safe_order(Fn each) const;

  std::size_t const kinds_;
  std::size_t const* const total_;
  std::size_t* const available_;
  std::size_t* const work_;
  char const* const name_;
  bank_claim* first_ = nullptr;  // the oldest
  std::uint64_t turns_ = 0;
  wait_queue waiting_;
};

}  // namespace detail

template <std::size_t Kinds>
class banker {
 public:
  using amounts = std::array<std::size_t, Kinds>;  // of each kind

  class claimant;
  class loan;
  class acquire_operation;

  // The name is for reports: a literal, or what else outlives the banker.
  explicit banker(amounts const& total, char const* name = nullptr) noexcept
      : total_(total),
        available_(total),
        bank_(Kinds, total_.data(), available_.data(), work_.data(), name) {}

  // For a task that will hold at most `max` at once. Throws std::logic_error where that is more than there
  // is. The name is as above.
  claimant claim(amounts const& max, char const* name = nullptr) { return claimant(*this, max, name); }

  amounts const& available() const noexcept { return available_; }
  // Always, which is what acquire() sees to.
  bool is_safe() const noexcept { return bank_.is_safe(); }
  // The claims in an order in which all can end.
  std::vector<claimant const*> safe_sequence() const;

 private:
  amounts total_;
  amounts available_;
  amounts work_{};
  detail::bank bank_;
};

template <std::size_t Kinds>
banker(std::size_t const (&total)[Kinds], char const* name = nullptr) -> banker<Kinds>;

template <std::size_t Kinds>
class [[nodiscard("the claim ends when this goes")]] banker<Kinds>::claimant : private detail::bank_claim {
 public:
  explicit claimant(banker& of, amounts const& max, char const* name = nullptr)
      : bank_claim(of.bank_, name), max_(max) {
    owner.admit(*this, max_.data(), held_.data());
  }
  ~claimant() { owner.dismiss(*this); }
  claimant(claimant const&) = delete;
  claimant& operator=(claimant const&) = delete;

  // co_await it: gives a loan. Awaiting it throws std::logic_error where more would be held than is claimed.
  acquire_operation acquire(amounts const& wanted) noexcept { return acquire_operation(*this, wanted); }
  // Empty where acquire would wait; throws as that does. Reports do not know who holds what was taken so.
  [[nodiscard]] std::optional<loan> try_acquire(amounts const& wanted) {
    if (!owner.try_take(*this, wanted.data())) return std::nullopt;
    return loan(*this, wanted);
  }
  // Whether that is there, and the state would be safe with it.
  bool would_be_safe(amounts const& wanted) noexcept { return owner.would_be_safe(*this, wanted.data()); }

  amounts const& max() const noexcept { return max_; }
  amounts const& held() const noexcept { return held_; }
  char const* name() const noexcept { return name_or_null; }

 private:
  friend banker;

  amounts max_;
  amounts held_{};
};

template <std::size_t Kinds>
class [[nodiscard("it is given back when this goes")]] banker<Kinds>::loan {
 public:
  explicit loan(claimant& by, amounts const& of) noexcept : by_(&by), amounts_(of) {}
  loan(loan&& other) noexcept : by_(std::exchange(other.by_, nullptr)), amounts_(other.amounts_) {}
  loan& operator=(loan&& other) noexcept {
    std::swap(by_, other.by_);
    std::swap(amounts_, other.amounts_);
    return *this;
  }
  ~loan() {
    if (by_ != nullptr) release();
  }

  void release() noexcept {
    claimant& by = *std::exchange(by_, nullptr);
    by.owner.give_back(by, amounts_.data());
  }

 private:
  claimant* by_;
  amounts amounts_;
};

template <std::size_t Kinds>
class banker<Kinds>::acquire_operation : public detail::bank_request {
 public:
  explicit acquire_operation(claimant& by, amounts const& wanted) noexcept
      : bank_request(by), wanted_(wanted) {}

  bool start(detail::task_state& task) { return start_with(task, wanted_.data()); }
  loan result() const {
    outcome();
    return loan(static_cast<claimant&>(by()), wanted_);
  }

 private:
  amounts wanted_;
};

template <std::size_t Kinds>
std::vector<typename banker<Kinds>::claimant const*> banker<Kinds>::safe_sequence() const {
  std::vector<claimant const*> sequence;
  for (auto const* c : bank_.safe_sequence()) sequence.push_back(static_cast<claimant const*>(c));
  return sequence;
}

}  // namespace plait
