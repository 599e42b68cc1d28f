// Watching processes that are not this one's children.
#pragma once

#include <plait/task.hpp>

#include <sys/types.h>

namespace plait::test {

// A process as it is now: its number may not be given to another in between.
class watched {
 public:
  explicit watched(pid_t pid);
  ~watched();
  watched(watched const&) = delete;
  watched& operator=(watched const&) = delete;

  pid_t pid() const noexcept { return pid_; }
  bool has_ended() const noexcept;
  task<> ended() const;

 private:
  pid_t pid_;
  int pidfd_;
};

task<> kill_and_wait(pid_t pid);

}  // namespace plait::test
