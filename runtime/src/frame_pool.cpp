#include <plait/detail/frame_pool.hpp>

#include <algorithm>

namespace plait::detail {

struct frame_pool_cleaner {
  ~frame_pool_cleaner() { frames_here.drain(); }
};

void frame_pool::open() noexcept {
  if (open_ || thread_ended_) return;
  static thread_local frame_pool_cleaner const cleaner{};
  static_cast<void>(&cleaner);
  open_ = true;
  for (std::size_t c = 1; c < classes; ++c) {
    bottoms_[c].room = static_cast<std::ptrdiff_t>(kept_max(block_bytes(c)));
    lists_[c] = &bottoms_[c];
  }
}

// Takes a page's worth of blocks one after the other, which malloc then mostly lays side by side: the
// frames of many tasks of one kind are read in the order in which they were made.
void* frame_pool::fresh(std::size_t bytes) noexcept {
  open();
  void* const first = std::malloc(bytes);
  if (!open_ || class_of(bytes) >= classes) return first;
  void* more[run_bytes / grain];
  std::size_t taken = 0;
  std::size_t const wanted = std::min(run_bytes / bytes, kept_max(bytes));
  while (taken + 1 < wanted && (more[taken] = std::malloc(bytes)) != nullptr) ++taken;
  while (taken != 0) put(more[--taken], bytes);
  return first;
}

void frame_pool::throw_bad_alloc() { throw std::bad_alloc(); }

void frame_pool::give_back(void* block, std::size_t bytes) noexcept {
  if (open_ || thread_ended_) return std::free(block);
  open();
  put(block, bytes);
}

std::size_t frame_pool::kept(std::size_t bytes) const noexcept {
  std::size_t const size_class = class_of(bytes);
  if (!open_ || size_class >= classes) return 0;
  return static_cast<std::size_t>(bottoms_[size_class].room - lists_.first_of[size_class]->room);
}

void frame_pool::drain() noexcept {
  open_ = false;
  thread_ended_ = true;
  for (cell*& first : lists_.first_of) {
    while (cell* const block = first->next != nullptr ? first : nullptr) {
      first = block->next;
      std::free(block);
    }
    first = &closed;
  }
}

}  // namespace plait::detail
