#pragma once

#include "method/cell.hpp"
#include "workloads/echo.hpp"

namespace plait::lab {

// The model "coro": the workload's units are plait tasks on one scheduler, on one thread. Pinned
// to no driver: PLAIT_DRIVER, or the cell's "coro/DRIVER" through it, decides.
rep_result coro_sleepers(cell const& c);
rep_result coro_files(cell const& c);
rep_result coro_primes(cell const& c);
rep_result coro_sha256(cell const& c);
rep_result coro_heartbeat(cell const& c);
rep_result coro_spawn(cell const& c);
rep_result coro_memory(cell const& c);
rep_result coro_await(cell const& c);
rep_result coro_yield(cell const& c);

// See workloads/echo.hpp.
void coro_serve_echo(std::uint16_t port, announce_port const& announce);

}  // namespace plait::lab
