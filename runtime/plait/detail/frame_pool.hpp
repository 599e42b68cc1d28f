// Where coroutine frames and spawned tasks get their memory: free lists by size, one set per
// thread, no locks. A block freed by another thread stays with that thread. Each list keeps a
// bounded number of bytes and gives the rest back to malloc, so a burst does not stay resident
// and a producer and a consumer on two threads do not drift. Under AddressSanitizer every block
// comes from malloc, because a recycler hides use after free.
#pragma once

#include <plait/detail/config.hpp>
#include <plait/detail/ledger.hpp>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace plait::detail {

class frame_pool {
 public:
  static constexpr std::size_t grain = 16;
  static constexpr std::size_t malloc_header = 8;  // glibc's, in front of each block
  static constexpr std::size_t classes = 128;                // blocks of up to 2 KiB
  static constexpr std::size_t kept_bytes_max = 256 * 1024;  // of each size

  void* get(std::size_t bytes) {
    std::size_t const size_class = class_of(bytes);
    if (size_class < classes) [[likely]] {
      list& free = lists_[size_class];
      if (cell* first = free.first) [[likely]] {
        free.first = first->next;
        ++free.room;
        return first;
      }
    }
    return fresh(block_bytes(size_class));
  }

  void put(void* block, std::size_t bytes) noexcept {
    std::size_t const size_class = class_of(bytes);
    if (size_class >= classes || lists_[size_class].room == 0) [[unlikely]] {
      return put_slow(block, size_class);
    }
    keep(lists_[size_class], block);
  }

  // How many blocks for this size are kept, and may be; for tests.
  std::size_t kept(std::size_t bytes) const noexcept;
  static constexpr std::size_t kept_max(std::size_t bytes) noexcept {
    return kept_bytes_max / block_bytes(class_of(bytes));
  }

 private:
  struct cell {
    cell* next;
  };
  struct list {
    cell* first = nullptr;
    std::size_t room = 0;  // blocks that may still be kept
  };

  friend struct frame_pool_cleaner;

  // With malloc's header a block fills whole grains.
  static constexpr std::size_t class_of(std::size_t bytes) noexcept {
    return (bytes + malloc_header + grain - 1) / grain;
  }
  static constexpr std::size_t block_bytes(std::size_t size_class) noexcept {
    return size_class * grain - malloc_header;
  }

  static void keep(list& free, void* block) noexcept {
    --free.room;
    auto* const c = static_cast<cell*>(block);
    c->next = free.first;
    free.first = c;
  }
  [[gnu::cold, gnu::noinline]] static void* fresh(std::size_t bytes);
  // Gives back to malloc what the list has no room for; the first block of a size makes the room.
  [[gnu::cold, gnu::noinline]] void put_slow(void* block, std::size_t size_class) noexcept;
  void drain() noexcept;
  bool first_use(std::size_t size_class) noexcept;

  list lists_[classes]{};
  bool used_[classes]{};
};

// Constant-initialised and trivially destructible, so that no guard stands on the way in. A cleaner,
// made with the thread's first block, gives the lists back at thread exit.
inline thread_local constinit frame_pool frames_here{};

inline void* allocate_frame(std::size_t bytes) {
  count(&ledger::frames, 1);
  count(&ledger::bytes, static_cast<long>(bytes));
#if PLAIT_ASAN
  return ::operator new(bytes);
#else
  return frames_here.get(bytes);
#endif
}

inline void free_frame(void* block, std::size_t bytes) noexcept {
  count(&ledger::frames, -1);
  count(&ledger::bytes, -static_cast<long>(bytes));
#if PLAIT_ASAN
  ::operator delete(block, bytes);
#else
  frames_here.put(block, bytes);
#endif
}

}  // namespace plait::detail
