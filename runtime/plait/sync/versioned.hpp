// A value with a version: optimistic locking. Nobody is kept from reading or from beginning a change; who
// finds at the end that another was faster begins again.
//
//     plait::versioned<account> shared(account{.balance = 100});
//     int const now = shared.load()->balance;                             // never waits for a change
//     shared.update([](account a) { a.balance += 10; return a; });        // again where it was overtaken
//
//     auto const seen = shared.load();                                    // or by hand
//     if (!shared.compare_exchange(seen.version(), changed(*seen))) ...   // somebody was faster
//
// Any thread, tasks and plain threads alike; it suspends nothing, and so is no cancel point. It wins over a
// mutex where changes are rare or short, and loses where many change at once and each takes long, for then
// most work is done in vain: conflicts() tells. What is done in vain must not show, so `fn` has no effect but
// its value; it may be called several times, and cannot await. What it throws comes out, and nothing changes.
//
// A T that is trivially copyable is kept in place, under a sequence lock: reading copies it, and waits only
// for the few instructions of a writer that is copying. Any other T is kept behind a shared pointer, which a
// mutex guards while it is copied: reading copies no T, and what was read stays as it was. (libstdc++ 12's
// atomic shared_ptr is a lock as well, and one that ThreadSanitizer cannot see through.) Then a change
// allocates.
#pragma once

#include <plait/detail/seqlock.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>

namespace plait {

namespace detail {

template <class T>
class versioned_words {
  using words = seqlock<(sizeof(T) + sizeof(std::uintptr_t) - 1) / sizeof(std::uintptr_t)>;

 public:
  using held = T;

  explicit versioned_words(T const& first) : words_(as_words(first)) {}
  static held hold(T&& value) { return value; }
  static T const& value_of(held const& from) noexcept { return from; }

  std::pair<held, std::uint64_t> load() const {
    typename words::block copy;
    std::uint64_t const version = words_.read(copy);
    alignas(T) std::byte bytes[sizeof(T)];
    std::memcpy(bytes, copy.data(), sizeof(T));
    return {*std::launder(reinterpret_cast<T const*>(bytes)), version};  // memcpy has begun its life
  }
  std::uint64_t version() const noexcept { return words_.version(); }
  bool replace(std::uint64_t expected, held const& next) { return words_.write(expected, as_words(next)); }

 private:
  static typename words::block as_words(T const& value) noexcept {
    typename words::block copy{};
    std::memcpy(copy.data(), std::addressof(value), sizeof(T));
    return copy;
  }
  words words_;
};

template <class T>
class versioned_pointer {
 public:
  using held = std::shared_ptr<T const>;

  explicit versioned_pointer(T&& first) : value_(hold(std::move(first))) {}
  static held hold(T&& value) { return std::make_shared<T const>(std::move(value)); }
  static T const& value_of(held const& from) noexcept { return *from; }

  std::pair<held, std::uint64_t> load() const {
    std::lock_guard const guard(lock_);
    return {value_, version_};
  }
  std::uint64_t version() const noexcept {
    std::lock_guard const guard(lock_);
    return version_;
  }
  bool replace(std::uint64_t expected, held next) {
    std::lock_guard const guard(lock_);
    if (version_ != expected) return false;
    value_.swap(next);  // the old one ends with the parameter, after the lock
    ++version_;
    return true;
  }

 private:
  mutable std::mutex lock_;
  held value_;
  std::uint64_t version_ = 0;
};

}  // namespace detail

template <class T>
class versioned {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a versioned holds a value");
  using store = std::conditional_t<std::is_trivially_copyable_v<T>, detail::versioned_words<T>,
                                   detail::versioned_pointer<T>>;

 public:
  // What was read, as it was.
  class snapshot {
   public:
    T const& operator*() const noexcept { return store::value_of(held_); }
    T const* operator->() const noexcept { return std::addressof(**this); }
    std::uint64_t version() const noexcept { return version_; }

   private:
    friend class versioned;
    snapshot(typename store::held held, std::uint64_t version) : held_(std::move(held)), version_(version) {}

    typename store::held held_;
    std::uint64_t version_;
  };

  explicit versioned(T first = T()) : store_(std::move(first)) {}
  versioned(versioned const&) = delete;
  versioned& operator=(versioned const&) = delete;

  snapshot load() const {
    auto [held, version] = store_.load();
    return snapshot(std::move(held), version);
  }

  // How often it has been changed.
  std::uint64_t version() const noexcept { return store_.version(); }

  // Changes it to fn(value), and gives what it is then. Calls fn again where somebody else was faster.
  template <class Fn>
    requires std::is_invocable_r_v<T, Fn&, T const&>
  snapshot update(Fn&& fn) {
    for (;;) {
      snapshot const seen = load();
      snapshot next(store::hold(std::invoke(fn, *seen)), seen.version() + 1);
      if (replace(seen.version(), next.held_)) return next;
    }
  }

  // False, and a conflict: it is not of this version any more.
  bool compare_exchange(std::uint64_t version, T value) {
    return replace(version, store::hold(std::move(value)));
  }

  // Changes, so far, that came too late and were done in vain.
  std::uint64_t conflicts() const noexcept { return conflicts_.load(std::memory_order_relaxed); }

 private:
  bool replace(std::uint64_t expected, typename store::held const& next) {
    bool const replaced = store_.replace(expected, next);
    if (!replaced) conflicts_.fetch_add(1, std::memory_order_relaxed);  // a count, which orders nothing
    return replaced;
  }

  store store_;
  std::atomic<std::uint64_t> conflicts_{0};
};

}  // namespace plait
