#include <plait/detail/frame_pool.hpp>

#include <algorithm>

namespace plait::detail {

struct frame_pool_cleaner {
  ~frame_pool_cleaner() { frames_here.drain(); }
};

void* frame_pool::fresh(std::size_t bytes) {
  static thread_local frame_pool_cleaner const cleaner{};
  static_cast<void>(&cleaner);
  void* const block = std::malloc(bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

bool frame_pool::first_use(std::size_t size_class) noexcept {
  if (used_[size_class]) return false;
  used_[size_class] = true;
  lists_[size_class].room = std::max<std::size_t>(kept_bytes_max / block_bytes(size_class), 1);
  return true;
}

std::size_t frame_pool::kept(std::size_t bytes) const noexcept {
  std::size_t const size_class = class_of(bytes);
  std::size_t n = 0;
  if (size_class >= classes) return n;
  for (cell const* c = lists_[size_class].first; c != nullptr; c = c->next) ++n;
  return n;
}

void frame_pool::put_slow(void* block, std::size_t size_class) noexcept {
  if (size_class < classes && first_use(size_class)) return keep(lists_[size_class], block);
  std::free(block);
}

// Leaves every list without room: what is freed even later goes straight to malloc.
void frame_pool::drain() noexcept {
  for (std::size_t i = 0; i < classes; ++i) {
    while (cell* const c = lists_[i].first) {
      lists_[i].first = c->next;
      std::free(c);
    }
    lists_[i].room = 0;
    used_[i] = true;
  }
}

}  // namespace plait::detail
