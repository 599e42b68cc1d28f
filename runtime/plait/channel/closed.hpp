// What a channel throws whose other end is gone.
#pragma once

#include <stdexcept>

namespace plait {

// Of sending into one that was closed.
class channel_closed : public std::runtime_error {
 public:
  channel_closed();
};

// Of receiving what nobody can send any more: the sender of a oneshot was destroyed.
class sender_gone : public std::runtime_error {
 public:
  sender_gone();
};

namespace detail {

[[noreturn]] void throw_channel_closed();
[[noreturn]] void throw_sender_gone();

}  // namespace detail
}  // namespace plait
