#include <plait/task_group.hpp>

#include <algorithm>
#include <new>
#include <typeinfo>

namespace plait {

task_cancelled::task_cancelled(char const* reason)
    : std::runtime_error(std::string("the task was cancelled: ") + reason) {}

task_group::task_group(cancel_scope& outside, on_failure then) noexcept
    : cancel_scope(kind::group), on_failure_(then) {
  parent_ = &outside;
  scheduler_ = outside.scheduler_;
  next_root_ = std::exchange(scheduler_->first_root_, this);
}

task_group::~task_group() {
  PLAIT_CHECK(empty(), "a task group was destroyed before its children had ended");
  if (scheduler_ == nullptr) return;  // a task had opened it, and left it
  take_requests();
  task_group** at = &scheduler_->first_root_;
  while (*at != this) at = &(*at)->next_root_;
  *at = next_root_;
}

std::size_t task_group::size() const noexcept {
  std::size_t children = 0;
  for (detail::sibling const* s = children_.next; s != &children_; s = s->next) ++children;
  return children;
}

void task_group::note(std::exception_ptr error) noexcept {
  if (on_failure_ == on_failure::report) return scheduler_->on_unhandled(std::move(error));
  auto const known = failures();
  bool const is_new = std::find(known.begin(), known.end(), error) == known.end();
  if (is_new && only_failure_ == nullptr) {
    try {
      failures_.push_back(error);
    } catch (std::bad_alloc const&) {
      if (known.empty()) only_failure_ = std::move(error);
    }
  }
  cancel("a task of the group failed");
}

bool task_group::settle(detail::task_state& self, bool absorbs) {
  if (!failures().empty()) std::rethrow_exception(failures().front());
  if (saw_cancelled_ && !absorbs) detail::throw_cancelled(self);
  return saw_cancelled_;
}

bool group_join::start(detail::task_state& task) {
  if (group_->empty()) {
    complete_inline(status::done);
    return false;
  }
  PLAIT_CHECK(group_->joiner_ == nullptr, "two tasks join the same task group");
  group_->joiner_ = this;
  begin(task);
  return true;
}

// All its children have to act; they are found in the group.
bool group_join::waits_for(std::size_t n, wait_info& into) const noexcept {
  if (n != 0) return false;
  into = wait_info{.what = "end of its children", .object = group_, .from_outside = false};
  return true;
}

bool child_join::waits_for(std::size_t n, wait_info& into) const noexcept {
  return detail::waits_for_child(*child_, n, into);
}

void child_join::cancel() noexcept {
  if (child_->joiner != waiter()) return;  // woken already
  child_->joiner = nullptr;
  complete(status::cancelled);
}

namespace detail {

bool waits_for_child(task_state const& child, std::size_t n, wait_info& into) noexcept {
  if (n != 0) return false;
  into = wait_info{.what = "end of",
                   .name = child.name,
                   .object = &child,
                   .holder = &child,
                   .from_outside = false};
  return true;
}

bool is_cancelled(std::exception_ptr const& error) noexcept {
#ifdef __GLIBCXX__
  return *error.__cxa_exception_type() == typeid(cancelled);
#else
  try {
    std::rethrow_exception(error);
  } catch (cancelled const&) {
    return true;
  } catch (...) {
    return false;
  }
#endif
}

void rethrow_join_failure(std::exception_ptr error) {
  if (!is_cancelled(error)) std::rethrow_exception(std::move(error));
  try {
    std::rethrow_exception(std::move(error));
  } catch (cancelled const& c) {
    throw task_cancelled(c.reason());
  }
}

void note_failure(task_group& group, std::exception_ptr error) noexcept {
  if (is_cancelled(error)) {
    group.note_cancelled();
  } else {
    group.note(std::move(error));
  }
}

}  // namespace detail
}  // namespace plait
