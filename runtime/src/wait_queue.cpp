#include <plait/detail/wait_queue.hpp>

#include <plait/deadlock_error.hpp>

namespace plait::detail {

std::size_t wait_queue::size() const noexcept {
  std::size_t waiting = 0;
  for (wait_link const* w = ring_.next; w != &ring_; w = w->next) ++waiting;
  return waiting;
}

bool wait_queue::has(task_state const* task) noexcept {
  for (queued_wait* w = empty() ? nullptr : &front(); w != nullptr; w = after(*w)) {
    if (&w->task() == task) return true;
  }
  return false;
}

// None of them runs before these have returned, so that none can come back; but the end of one may take
// others out, where they are cases of the same select.
void wait_queue::grant_all() noexcept {
  while (!empty()) grant_front();
}
void wait_queue::refuse_all(refusal why) noexcept {
  while (!empty()) front().refuse(why);
}

bool queued_wait::describe(std::size_t n, wait_info& into, char const* what, char const* name,
                           void const* object) noexcept {
  if (n != 0) return false;
  into = wait_info{.what = what, .name = name, .object = object, .from_outside = false};
  return true;
}

void throw_deadlock() {
  throw deadlock_error("a deadlock: nothing that could still happen would end this wait");
}

}  // namespace plait::detail
