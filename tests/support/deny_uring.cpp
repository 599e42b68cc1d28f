// deny_uring EPERM|ENOSYS|ENOMEM PROGRAM [ARGUMENTS]: runs a program that cannot set up an io_uring.
#include "support/io_deny.hpp"

#include <cerrno>
#include <cstdio>
#include <map>
#include <string>

#include <unistd.h>

int main(int argc, char** argv) {
  std::map<std::string, int> const errors{{"EPERM", EPERM}, {"ENOSYS", ENOSYS}, {"ENOMEM", ENOMEM}};
  auto const error = argc > 2 ? errors.find(argv[1]) : errors.end();
  if (error == errors.end()) {
    std::fprintf(stderr, "usage: deny_uring EPERM|ENOSYS|ENOMEM PROGRAM [ARGUMENTS]\n");
    return 2;
  }
  if (!plait::test::deny_system_call(SYS_io_uring_setup, error->second)) {
    std::perror("deny_uring: no seccomp filter here");
    return 77;
  }
  ::execv(argv[2], argv + 2);
  std::perror(argv[2]);
  return 2;
}
