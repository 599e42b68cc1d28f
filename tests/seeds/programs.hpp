// Programs for a simulated world. Each bears every fault that a world can have, checks its own promises
// as it goes, and throws broken_promise where one does not hold.
#pragma once

#include <plait/task.hpp>

#include <span>
#include <stdexcept>

namespace plait::seeds {

class broken_promise : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

struct program {
  char const* name;
  task<> (*body)();
};

std::span<program const> programs() noexcept;

}  // namespace plait::seeds
