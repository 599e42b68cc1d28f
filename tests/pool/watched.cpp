#include "watched.hpp"

#include <plait/driver.hpp>
#include <plait/system_calls.hpp>

#include <csignal>
#include <poll.h>
#include <stdexcept>

namespace plait::test {

watched::watched(pid_t pid) : pid_(pid), pidfd_(system_calls::real().pidfd_open(pid)) {
  if (pidfd_ < 0) throw std::runtime_error("no such process");
}

watched::~watched() { system_calls::real().close(pidfd_); }

bool watched::has_ended() const noexcept {
  pollfd look{pidfd_, POLLIN, 0};
  return ::poll(&look, 1, 0) > 0;
}

task<> watched::ended() const {
  int const pidfd = pidfd_;
  co_await fd_wait(pidfd, POLLIN);
}

task<> kill_and_wait(pid_t pid) {
  watched const victim(pid);
  ::kill(pid, SIGKILL);
  co_await victim.ended();
}

}  // namespace plait::test
