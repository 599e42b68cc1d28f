// Some words that change together, read without a lock: a sequence lock, after H.-J. Boehm, "Can seqlocks
// get along with programming language memory models?" (MSPC 2012). Checked by tests/model/seqlock.cpp.
//
// The fences of the paper's first form are acquire loads and release stores of the words here, which cost the
// same on x86 and which ThreadSanitizer understands.
#pragma once

#include <plait/detail/atomics.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace plait::detail {

template <std::size_t Words, class Word = std::uintptr_t, class Atomics = std_atomics>
class seqlock {
 public:
  using block = std::array<Word, Words>;

  // relaxed: nobody else knows it yet.
  explicit seqlock(block const& first) {
    for (std::size_t i = 0; i < Words; ++i) words_[i].now.store(first[i], std::memory_order_relaxed);
  }
  seqlock(seqlock const&) = delete;
  seqlock& operator=(seqlock const&) = delete;

  // Gives the version that `into` is. Waits for a writer that is just copying.
  std::uint64_t read(block& into) const {
    for (;;) {
      // acquire: pairs with the release that ends a write, so that no word is older than this.
      std::uint64_t const before = sequence_.load(std::memory_order_acquire);
      if (before % 2 != 0) {
        Atomics::yield();
        continue;
      }
      // acquire: pairs with the release of the word's store. Who sees a word of a later write sees below
      // that it has begun.
      for (std::size_t i = 0; i < Words; ++i) into[i] = words_[i].now.load(std::memory_order_acquire);
      // relaxed: it stands behind the loads above, which are acquires.
      if (sequence_.load(std::memory_order_relaxed) == before) return before / 2;
    }
  }

  // relaxed: says nothing about the words.
  std::uint64_t version() const { return sequence_.load(std::memory_order_relaxed) / 2; }

  // False, and nothing has changed: `expected` is not the version any more, or is about to be not.
  bool write(std::uint64_t expected, block const& next) {
    std::uint64_t const even = 2 * expected;
    std::uint64_t found = even;
    // acquire: this write comes after the words of the one before. relaxed where it fails: nothing is read.
    while (!sequence_.compare_exchange_weak(found, even + 1, std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
      if (found != even) return false;
    }
    // release: publishes that the write has begun to whoever sees the word.
    for (std::size_t i = 0; i < Words; ++i) words_[i].now.store(next[i], std::memory_order_release);
    // release: publishes the words.
    sequence_.store(even + 2, std::memory_order_release);
    return true;
  }

 private:
  struct cell {
    typename Atomics::template atomic<Word> now{Word()};
  };

  // Twice the version; one more while a write is under way.
  typename Atomics::template atomic<std::uint64_t> sequence_{0};
  cell words_[Words];
};

}  // namespace plait::detail
