// What testing/checkpoints.hpp hooks into the check for cancellation.
#pragma once

#include <functional>

namespace plait::detail {

inline thread_local constinit std::function<void()> const* at_checkpoint = nullptr;

}  // namespace plait::detail
