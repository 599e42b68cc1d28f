// Where coroutine frames and spawned tasks get their memory: free lists by size, one set per
// thread, no locks. A block freed by another thread stays with that thread. Each list keeps a
// bounded number of bytes and gives the rest back to malloc, so a burst does not stay resident
// and a producer and a consumer on two threads do not drift. An empty list takes a page's worth of
// blocks at once: frames of one kind lie side by side. Under AddressSanitizer every block
// comes from malloc, because a recycler hides use after free.
#pragma once

#include <plait/detail/allocation_plan.hpp>
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
  static constexpr std::size_t run_bytes = 4096;             // taken from malloc at once, of one size

  void* get(std::size_t bytes) {
    std::size_t const size_class = class_of(bytes);
    if (size_class < classes) [[likely]] {
      cell* const first = lists_[size_class];
      if (first->next != nullptr) [[likely]] {
        lists_[size_class] = first->next;
        return first;
      }
    }
    void* const block = fresh(block_bytes(size_class));
    if (block == nullptr) [[unlikely]] throw_bad_alloc();
    return block;
  }

  void put(void* block, std::size_t bytes) noexcept {
    std::size_t const size_class = class_of(bytes);
    if (size_class >= classes) [[unlikely]] return give_back(block, bytes);
    cell* const first = lists_[size_class];
    std::ptrdiff_t const room = first->room - 1;
    if (room < 0) [[unlikely]] return give_back(block, bytes);
    auto* const c = static_cast<cell*>(block);
    c->next = first;
    c->room = room;
    lists_[size_class] = c;
  }

  // How many blocks for this size are kept, and may be; for tests.
  std::size_t kept(std::size_t bytes) const noexcept;
  static constexpr std::size_t kept_max(std::size_t bytes) noexcept {
    return kept_bytes_max / block_bytes(class_of(bytes));
  }

 private:
  // A free block knows how many more may lie on it, so that a list needs no counter beside it, and no
  // list is ever empty: at its bottom lies a cell that is no block and has no next.
  struct cell {
    cell* next = nullptr;
    std::ptrdiff_t room = 0;
  };

  friend struct frame_pool_cleaner;

  // With malloc's header a block fills whole grains; the smallest holds a cell.
  static constexpr std::size_t class_of(std::size_t bytes) noexcept {
    if (bytes < sizeof(cell)) bytes = sizeof(cell);
    return (bytes + malloc_header + grain - 1) / grain;
  }
  static constexpr std::size_t block_bytes(std::size_t size_class) noexcept {
    return size_class * grain - malloc_header;
  }

  // The bottom of every list while nothing may be kept, for nobody would give it back: before the
  // thread's cleaner is there, and after it. Never written to.
  static cell closed;
  struct list_heads {
    constexpr list_heads() noexcept {
      for (cell*& first : first_of) first = &closed;
    }
    cell*& operator[](std::size_t size_class) noexcept { return first_of[size_class]; }
    cell* first_of[classes];
  };

  PLAIT_COLD_CALL void* fresh(std::size_t bytes) noexcept;
  [[gnu::cold, gnu::noinline]] void give_back(void* block, std::size_t bytes) noexcept;
  [[noreturn]] static void throw_bad_alloc();
  void open() noexcept;
  void drain() noexcept;

  list_heads lists_;
  cell bottoms_[classes];
  bool open_ = false;
  bool thread_ended_ = false;
};

inline constinit frame_pool::cell frame_pool::closed{};

// Constant-initialised and trivially destructible, so that no guard stands on the way in. A cleaner,
// made with the first block that the thread takes or frees, gives the lists back at thread exit.
inline thread_local constinit frame_pool frames_here{};

inline void* allocate_frame(std::size_t bytes) {
#if PLAIT_ASSERTIONS
  if (allocation_fails()) [[unlikely]] throw std::bad_alloc();
#endif
#if PLAIT_ASAN
  void* const block = std::malloc(bytes);
  if (block == nullptr) throw std::bad_alloc();
#else
  void* const block = frames_here.get(bytes);
#endif
  count(&ledger::frames, 1);
  count(&ledger::bytes, static_cast<long>(bytes));
  return block;
}

inline void free_frame(void* block, std::size_t bytes) noexcept {
  count(&ledger::frames, -1);
  count(&ledger::bytes, -static_cast<long>(bytes));
#if PLAIT_ASAN
  std::free(block);
#else
  frames_here.put(block, bytes);
#endif
}

}  // namespace plait::detail
