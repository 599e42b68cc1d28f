// A function that gives one value after the other, when they are asked for, and awaits in between.
//
//     plait::async_generator<row> rows(connection& db) {
//       co_await db.send("select ...");
//       for (auto got = co_await db.receive(); got; got = co_await db.receive()) co_yield parse(*got);
//     }
//
//     co_await for_each(rows(db), [](row& one) { return use(one); });    // until use() says false
//
//     auto more = rows(db);                                              // or by hand
//     for (auto one = co_await more.next(); one; one = co_await more.next()) use(*one);
//     co_await more.close();
//
// Nothing of it runs before the first next(), and then as far as the next co_yield, as a part of the task
// that asks: under its scopes, and in its chain of awaits in the task tree. One scheduler's thread; tasks may
// take turns, but while one asks nobody else may. Asking costs no frame and no allocation, and is no cancel
// point by itself; a cancellation reaches the awaits inside. What the generator throws, that included, comes
// out of next(), and has ended it.
//
// **Left half-way**, it may just be destroyed: its locals are. Where its cleanup has to await, close it:
// the co_yield at which it stands throws `cancelled`, and so does every further one, while awaits work; what
// else it throws comes out of close(). for_each does so on every way out.
//
// No scope or group is open at a co_yield, since these are functions that are awaited; so nothing of a
// generator that stands there is known to anyone. It must not be destroyed while a task is inside.
// After PEP 525 and Trio's aclosing().
#pragma once

#include <plait/cancel.hpp>
#include <plait/detail/await_safe.hpp>
#include <plait/detail/result_slot.hpp>
#include <plait/detail/wants_more.hpp>
#include <plait/finally.hpp>
#include <plait/task.hpp>

#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

namespace plait {

template <class T>
class [[nodiscard("nothing of it runs before its first value is asked for")]] async_generator {
 public:
  class promise_type;
  class [[nodiscard("co_await this: it gives the next value")]] next_item;
  class [[nodiscard("co_await this: it runs the generator's cleanup")]] closing;

  // What next() gives: empty, or null, at the end and ever after.
  using item =
      std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, std::optional<T>>;

  async_generator(async_generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  async_generator& operator=(async_generator&& other) noexcept {
    async_generator old(std::move(*this));
    frame_ = std::exchange(other.frame_, nullptr);
    return *this;
  }
  ~async_generator() {
    if (!frame_) return;
    PLAIT_CHECK(frame_.promise().at_ != promise_type::at::inside,
                "an async_generator was destroyed while a task awaits its next value: cancel that task, "
                "and await it");
    frame_.destroy();
  }

  next_item next() noexcept { return next_item(frame_); }

  // Does nothing to one that has ended, and lets one that has not begun never begin.
  closing close(std::source_location by = std::source_location::current()) noexcept {
    return closing(frame_, by);
  }

 private:
  using frame = std::coroutine_handle<promise_type>;
  class continuation;

  explicit async_generator(frame f) noexcept : frame_(f) {}

  frame frame_;
};

namespace detail {

// What a co_yield throws in a generator that is being closed.
class generator_closed : public cancelled {
 public:
  explicit generator_closed(std::source_location by) noexcept : cancelled("the generator was closed", by) {}
};

}  // namespace detail

template <class T>
class async_generator<T>::promise_type : public detail::promise_awaits<promise_type> {
 public:
  // Where it stands:
  //
  //   start --next()--> inside --co_yield--> yield --next(), close()--> inside
  //     |                 |
  //     +----close()----> end <-- it returned, or threw
  enum class at : std::uint8_t { start, inside, yield, end };

  // Back to the task that asked.
  struct handing_over {
    explicit handing_over(promise_type& of) noexcept : self(of) {}
    bool await_ready() const noexcept { return self.closing_; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<>) const noexcept {
      self.at_ = at::yield;
      return detail::transfer_to(*self.parent);
    }
    void await_resume() const {
      if (self.closing_) throw detail::generator_closed(self.closed_by_);
    }
    promise_type& self;
  };

  async_generator get_return_object() noexcept {
    static_assert(alignof(promise_type) <= 2 * sizeof(void*),
                  "a generator's values may be aligned to at most 16 bytes: yield pointers to them");
    return async_generator(frame::from_promise(*this));
  }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  detail::final_awaiter final_suspend() noexcept {
    at_ = at::end;
    return {};
  }

  template <class U = T>
    requires std::is_constructible_v<T, U&&>
  handing_over yield_value(U&& value) {
    if constexpr (std::is_reference_v<T>) {
      item_ = std::addressof(value);
    } else {
      item_.emplace(std::forward<U>(value));
    }
    return handing_over(*this);
  }
  void return_void() const noexcept {}
  // For whoever asked. Thrown from here, clang 19 would destroy the locals once more with the frame.
  void unhandled_exception() noexcept { detail::keep_current_exception(error_); }

 private:
  friend class async_generator;

  item item_{};
  at at_ = at::start;
  bool closing_ = false;
  std::source_location closed_by_;
  std::exception_ptr error_;
};

// Lets the generator go on as a part of the task that awaits this.
template <class T>
class async_generator<T>::continuation {
 public:
  std::coroutine_handle<> await_suspend(std::coroutine_handle<>) const noexcept {
    promise_type& self = generator.promise();
    self.parent = &asking;
    self.owner = asking.owner;
    self.at_ = promise_type::at::inside;
#if PLAIT_BOUNDED_DEPTH
    self.note_await({});  // it may be queued
#endif
    return detail::transfer_to(self);
  }

 protected:
  continuation(detail::frame_link& by, frame of) noexcept : asking(by), generator(of) {
    PLAIT_ASSERT(generator, "an async_generator was asked that had been moved away");
    PLAIT_CHECK(stands_at() != promise_type::at::inside,
                "a task asks an async_generator for its next value while another one awaits it: share a "
                "channel that one task fills from the generator");
  }
  auto stands_at() const noexcept { return generator.promise().at_; }
  void rethrow() const {
    if (auto& error = generator.promise().error_) std::rethrow_exception(std::exchange(error, nullptr));
  }

  detail::frame_link& asking;
  frame generator;
};

template <class T>
class async_generator<T>::next_item {
 public:
  class awaiter_for_plait : public continuation {
   public:
    awaiter_for_plait(detail::frame_link& by, next_item&& what) noexcept : continuation(by, what.of_) {}
    bool await_ready() const noexcept { return this->stands_at() == promise_type::at::end; }
    item await_resume() const {
      this->rethrow();
      return std::exchange(this->generator.promise().item_, item());
    }
  };

 private:
  friend class async_generator;
  explicit next_item(frame of) noexcept : of_(of) {}
  frame of_;
};

template <class T>
class async_generator<T>::closing {
 public:
  class awaiter_for_plait : public continuation {
   public:
    awaiter_for_plait(detail::frame_link& by, closing&& what) noexcept : continuation(by, what.of_) {
      promise_type& self = this->generator.promise();
      self.closing_ = true;
      self.closed_by_ = what.by_;
      if (self.at_ == promise_type::at::start) self.at_ = promise_type::at::end;
    }
    bool await_ready() const noexcept { return this->stands_at() == promise_type::at::end; }
    void await_resume() const {
      this->generator.promise().item_ = item();  // what it would have yielded since
      try {
        this->rethrow();
      } catch (detail::generator_closed const&) {
      }
    }
  };

 private:
  friend class async_generator;
  closing(frame of, std::source_location by) noexcept : of_(of), by_(by) {}
  frame of_;
  std::source_location by_;
};

namespace detail {

template <class T, class Fn>
task<> give_each(async_generator<T>& items, Fn& fn) {
  for (auto one = co_await items.next(); one; one = co_await items.next()) {
    bool const more = co_await wants_more(fn, *one);
    if (!more) co_return;
  }
}

template <class T>
task<> close_generator(async_generator<T>& items, std::source_location by) {
  co_await items.close(by);
}

template <class T, class Fn>
task<> give_each_and_close(async_generator<T> items, Fn fn, finally_options limit, std::source_location by) {
  auto const give = [&items, &fn] { return give_each(items, fn); };
  auto const close = [&items, by] { return close_generator(items, by); };
  co_await finally(give, close, limit);
}

}  // namespace detail

// Calls fn(item&) for each item, one after the other, until there are no more. fn may be a coroutine; where
// it gives a bool, or a task of one, false is enough. The generator is then closed, and also where fn throws
// or is cancelled: as the cleanup of a `finally`, shielded and with its deadline.
template <class T, class Fn>
  requires detail::await_safe<Fn>
task<> for_each(async_generator<T> items, Fn&& fn, finally_options closing = {},
                std::source_location by = std::source_location::current()) {
  return detail::give_each_and_close<T>(std::move(items), std::decay_t<Fn>(std::forward<Fn>(fn)), closing,
                                        by);
}

}  // namespace plait
