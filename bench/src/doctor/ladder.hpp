#pragma once

#include <string>
#include <vector>

namespace plait::lab {

// One rung: what was tried of io_uring, and what the kernel said.
struct rung {
  std::string name;
  bool works = false;
  std::string detail;     // what was found, or why it is refused and what to do
  bool required = false;  // the io_uring driver cannot do without it
};

// From "may this process make a ring at all" upwards; ends at the first required rung that breaks.
std::vector<rung> climb_uring_ladder();

// Why io_uring_setup fails with this errno, and what to do about it.
std::string explain_setup_error(int error);

}  // namespace plait::lab
