#pragma once

#include "method/cell.hpp"
#include "workloads/echo.hpp"

namespace plait::lab {

// Others' ways of doing plait's I/O, one file each: Asio's C++20 coroutines, hand-written epoll,
// hand-written io_uring. The servers run until they are killed.
rep_result asio_sleepers(cell const& c);
rep_result asio_files(cell const& c);
rep_result asio_await(cell const& c);
rep_result asio_yield(cell const& c);
rep_result asio_spawn(cell const& c);
rep_result asio_memory(cell const& c);
void asio_serve_echo(std::uint16_t port, announce_port const& announce);

void epoll_serve_echo(std::uint16_t port, announce_port const& announce);

rep_result uring_files(cell const& c);
void uring_serve_echo(std::uint16_t port, announce_port const& announce);

}  // namespace plait::lab
