// How jobs in other processes tell a test where they are, and wait until it lets them go on.
#pragma once

#include <plait/driver.hpp>
#include <plait/task.hpp>

#include <string>
#include <sys/types.h>

namespace plait::test {

// A named pipe in a folder of its own, gone with this object. Jobs get its path.
class fifo {
 public:
  fifo();
  ~fifo();
  fifo(fifo const&) = delete;
  fifo& operator=(fifo const&) = delete;

  std::string const& path() const noexcept { return path_; }
  int fd() const noexcept { return fd_; }

  // What one job has said.
  task<pid_t> next();
  // Lets one job that waits in `receive` go on.
  void send(pid_t value = 0) const;

 private:
  std::string folder_;
  std::string path_;
  int fd_;
};

// In a job.
void say(std::string const& path, pid_t value);
pid_t hear(std::string const& path);

}  // namespace plait::test
