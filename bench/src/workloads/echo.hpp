#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include <sys/types.h>

#include "method/cell.hpp"

namespace plait::lab {

// Tells whoever started the server which port it listens on.
using announce_port = std::function<void(std::uint16_t)>;

// An echo server on 127.0.0.1: sends back what each connection sends, until it is killed. Port 0
// lets the kernel choose.
using echo_server = void (*)(std::uint16_t port, announce_port const& announce);

// By the name of a model or a contender ("thread", "uring"); null if none has that name.
echo_server find_echo_server(std::string_view name);

// A listening socket for a server that makes its own: TCP_NODELAY for what it accepts, a backlog
// of 4096. Throws where the port is taken, and says so.
int listen_on_loopback(std::uint16_t port, bool nonblocking, announce_port const& announce);

struct echo_load {
  std::uint16_t port = 0;
  unsigned connections = 64;  // each with one message under way
  unsigned idle = 0;          // each has echoed once, then rests
  std::size_t message_bytes = 64;
  double warmup_s = 0.25;
  double window_s = 1;
  pid_t server = 0;  // whose CPU time is counted
};

// The load generator: one thread, edge-triggered epoll, closed loop. Compares every byte that comes
// back with what that connection sent there; a mismatch, a lost connection or a silent server is
// rep_result::error. `used` is the server's; extra has client_cpu (CPUs busy here) and foreign_cpu
// (CPUs busy with neither).
rep_result run_echo_load(echo_load const& load);

}  // namespace plait::lab
