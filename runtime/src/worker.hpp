// A worker: a fork of the zygote that runs one job after the other.
#pragma once

#include "pool_wire.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace plait::detail {

struct worker_setup {
  std::uint32_t number = 0;
  std::uint64_t message_bytes_max = 0;
  std::array<int, descriptors_max> descriptors{};
};

// Ends when the program closes the socket, or with the program itself, at once, whatever it runs.
[[noreturn]] void run_worker(worker_setup setup) noexcept;

}  // namespace plait::detail
