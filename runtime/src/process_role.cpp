#include "process_role.hpp"

#include "zygote.hpp"

#include <plait/run.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

namespace plait::detail {

namespace {

bool role_was_asked = false;

bool is_control_socket(int fd) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

}  // namespace

bool may_start_processes() noexcept { return role_was_asked; }

void enter_process_role(int, char**) {
  role_was_asked = true;
  char const* const role = std::getenv(role_variable);
  if (role == nullptr) return;
  if (std::strcmp(role, zygote_role) != 0 || !is_control_socket(role_descriptor)) {
    std::fprintf(stderr,
                 "plait: %s=%s stands in the environment, but no process pool started this program; "
                 "unset it\n",
                 role_variable, role);
    std::fflush(stderr);
    ::_exit(64);  // EX_USAGE
  }
  // What a job starts later is no helper of ours.
  ::unsetenv(role_variable);
  run_zygote(role_descriptor);
}

}  // namespace plait::detail
