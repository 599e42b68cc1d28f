#include <plait/sync/shared_mutex.hpp>

namespace plait {

void shared_mutex::take(detail::task_state& task) noexcept {
  detail::task_state& holder = detail::real_task(task);
  locked_ = true;
  holder_ = &holder;
  held_at_ = holder.leaf->await_at;
}

void shared_mutex::take_shared(detail::task_state& task, detail::reader_link& link) noexcept {
  detail::task_state& holder = detail::real_task(task);
  ++readers_;
  link.holder = &holder;
  link.at = holder.leaf->await_at;
  link.link_before(known_readers_);
}

// Those in front who can have it now: one writer, or all readers up to the next writer.
void shared_mutex::serve() noexcept {
  while (!waiting_.empty() && !locked_) {
    auto& first = static_cast<wait&>(waiting_.front());
    if (first.writes_) {
      if (readers_ != 0) return;
      take(first.task());
    } else {
      take_shared(first.task(), first.link_);
    }
    first.grant();
  }
}

void shared_mutex::unlock() noexcept {
  PLAIT_CHECK(locked_, "a shared mutex was unlocked that was not locked");
  locked_ = false;
  holder_ = nullptr;
  serve();
}

void shared_mutex::unlock_shared() noexcept {
  PLAIT_CHECK(readers_ != 0, "a shared mutex was unlocked that was not shared");
  --readers_;
  serve();
}

std::optional<shared_mutex::guard> shared_mutex::try_lock() noexcept {
  if (locked_ || readers_ != 0) return std::nullopt;
  locked_ = true;
  return guard(*this);
}

std::optional<shared_mutex::shared_guard> shared_mutex::try_lock_shared() noexcept {
  if (locked_ || !waiting_.empty()) return std::nullopt;
  ++readers_;
  return std::optional<shared_guard>(std::in_place, *this, detail::reader_link());
}

shared_mutex* shared_mutex::guard::release() noexcept {
  locked_->holder_ = nullptr;
  return std::exchange(locked_, nullptr);
}

void shared_mutex::shared_guard::unlock() noexcept { release()->unlock_shared(); }

shared_mutex* shared_mutex::shared_guard::release() noexcept {
  link_.unlink();
  return std::exchange(shared_, nullptr);
}

// Readers and writers in one order: readers wait for a writer, and it waits for them.
void shared_mutex::look_at_order(detail::task_state& task) {
  static constexpr detail::lock_kind kind{
      .name = "shared mutex",
      .is_held = [](void const* lock, detail::task_state const* by) noexcept {
        return static_cast<shared_mutex const*>(lock)->is_held_by(by);
      },
      .is_awaited = [](void* lock, detail::task_state const* by) noexcept {
        return static_cast<shared_mutex*>(lock)->waiting_.has(by);
      }};
  if (scheduler::current().lock_order_checks == 0) [[likely]] return;
  detail::check_order({.kind = &kind, .lock = this, .name = name_, .level = level_}, task);
}

bool shared_mutex::is_held_by(detail::task_state const* task) const noexcept {
  if (locked_) return holder_ == task;
  detail::reader_link const* reader = known_readers_.next();
  while (reader != &known_readers_ && reader->holder != task) reader = reader->next();
  return reader != &known_readers_;
}

bool shared_mutex::lock_operation::start(detail::task_state& task) {
  shared_mutex& m = *mutex_;
  m.look_at_order(task);
  bool const is_free = !m.locked_ && m.readers_ == 0;
  if (is_free) m.take(task);
  return enqueue_unless(is_free, task, m.waiting_);
}

bool shared_mutex::lock_shared_operation::start(detail::task_state& task) {
  shared_mutex& m = *mutex_;
  m.look_at_order(task);
  bool const is_free = !m.locked_ && m.waiting_.empty();
  if (is_free) m.take_shared(task, link_);
  return enqueue_unless(is_free, task, m.waiting_);
}

// Every one of those that share it has to let it go, also before a reader that waits behind a writer.
bool shared_mutex::wait::waits_for(std::size_t n, wait_info& into) const noexcept {
  shared_mutex const& m = *mutex_;
  into = wait_info{.what = "shared mutex",
                   .name = m.name_,
                   .object = &m,
                   .holder = m.holder_,
                   .held_at = m.held_at_,
                   .from_outside = false};
  if (m.locked_) return n == 0;
  if (n >= m.readers_) return false;
  detail::reader_link const* reader = m.known_readers_.next();
  for (std::size_t i = 0; i < n && reader != &m.known_readers_; ++i) reader = reader->next();
  into.holder = reader->holder;  // none for those that came by try_lock_shared
  into.held_at = reader->at;
  return true;
}

}  // namespace plait
