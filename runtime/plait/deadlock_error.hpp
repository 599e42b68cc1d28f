// What a task gets when it waits for something that nobody can grant any more.
#pragma once

#include <stdexcept>

namespace plait {

class deadlock_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace plait
