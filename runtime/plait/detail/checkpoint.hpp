// What testing/checkpoints.hpp hooks into the check for cancellation.
#pragma once

#include <exception>
#include <functional>
#include <source_location>
#include <utility>

namespace plait::detail {

struct task_state;

struct checkpoint_hook {
  // An exception that this await throws instead of being made, or null.
  std::function<std::exception_ptr(std::source_location const& await)> each;
  task_state const* refused = nullptr;  // the task at whose await `refusal` is to be thrown
  std::exception_ptr refusal;

  bool refuses(task_state const& task) noexcept;
  void throw_refusal() {
    refused = nullptr;
    std::rethrow_exception(std::exchange(refusal, nullptr));
  }
};

inline thread_local constinit checkpoint_hook* at_checkpoint = nullptr;

// For an operation that finds itself refused and does not throw `cancelled`.
void throw_if_refused();

}  // namespace plait::detail
