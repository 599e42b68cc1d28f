#include <plait/sync/recursive_mutex.hpp>

#include <stdexcept>

namespace plait {

bool recursive_mutex::unlock_operation::start(detail::task_state& task) {
  if (!mutex_->held_by(task)) {
    throw std::logic_error("a recursive mutex was unlocked by a task that does not hold it");
  }
  mutex_->drop();
  complete_inline(status::done);
  return false;
}

}  // namespace plait
