// What sending into a channel throws that was closed.
#pragma once

#include <stdexcept>

namespace plait {

class channel_closed : public std::runtime_error {
 public:
  channel_closed();
};

namespace detail {

[[noreturn]] void throw_channel_closed();

}  // namespace detail
}  // namespace plait
