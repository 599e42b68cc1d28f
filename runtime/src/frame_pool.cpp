#include <plait/detail/frame_pool.hpp>

namespace plait::detail {

struct frame_pool_cleaner {
  ~frame_pool_cleaner() { frames_here.drain(); }
};

void frame_pool::open() noexcept {
  if (thread_ended_) return;
  static thread_local frame_pool_cleaner const cleaner{};
  static_cast<void>(&cleaner);
  bottom_ = 1;
}

void* frame_pool::fresh(std::size_t bytes) {
  open();
  void* const block = std::malloc(bytes);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void frame_pool::give_back(void* block, std::size_t bytes) noexcept {
  if (bottom_ == nothing_kept && !thread_ended_) {
    open();
    return put(block, bytes);
  }
  std::free(block);
}

std::size_t frame_pool::kept(std::size_t bytes) const noexcept {
  std::size_t const size_class = class_of(bytes);
  if (size_class >= classes || lists_[size_class] == nullptr) return 0;
  return lists_[size_class]->depth;
}

void frame_pool::drain() noexcept {
  bottom_ = nothing_kept;
  thread_ended_ = true;
  for (cell*& list : lists_) {
    while (cell* const c = list) {
      list = c->next;
      std::free(c);
    }
  }
}

}  // namespace plait::detail
