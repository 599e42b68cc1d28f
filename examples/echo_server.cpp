// A TCP echo server:  echo_server PORT   (0: the kernel chooses)
//
// SIGTERM or SIGINT stops accepting and gives the connections 3 seconds to finish; the second one
// ends the program at once.
#include <plait/plait.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <sys/resource.h>

namespace io = plait::io;
using namespace std::chrono_literals;

static plait::task<> echo(io::tcp_stream peer) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    std::size_t const n = co_await peer.read_some(buffer);
    if (n == 0) co_return;
    co_await peer.write_all({buffer.data(), n});
  }
}

// Afterwards the signals have their default action again: the second one ends the program.
static plait::task<> told_to_stop(std::optional<io::signal_set>& signals) {
  int const number = co_await signals->next();
  std::fprintf(stderr, "%s: no new connections, ending in 3 s at most\n", ::strsignal(number));
  signals.reset();
}

static std::optional<std::uint16_t> parse_port(char const* text) {
  std::uint16_t port = 0;
  char const* const end = text + std::strlen(text);
  auto const [stop, error] = std::from_chars(text, end, port);
  if (error != std::errc() || stop != end) return std::nullopt;
  return port;
}

// A connection is a descriptor, and many systems hand out 1024.
static void allow_many_connections() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

static plait::task<int> program(int argc, char** argv) {
  auto const port = argc == 2 ? parse_port(argv[1]) : std::nullopt;
  if (!port) {
    std::fprintf(stderr, "usage: echo_server PORT   (a number up to 65535; 0: the kernel chooses)\n");
    co_return 2;
  }
  allow_many_connections();
  try {
    std::optional<io::signal_set> signals(std::in_place, {SIGTERM, SIGINT});
    io::tcp_listener listener = io::tcp_listener::listen(io::address::loopback(*port));
    auto const driver = plait::scheduler::current().io().name();
    std::printf("listening on %s (%.*s)\n", listener.local_address().to_string().c_str(),
                static_cast<int>(driver.size()), driver.data());
    std::fflush(stdout);
    io::serve_options const patient{.drain = 3s};
    co_await plait::when_any(io::serve(listener, patient, echo), told_to_stop(signals));
  } catch (io::io_error const& error) {
    std::fprintf(stderr, "echo_server: %s\n", error.what());
    co_return 1;
  }
  co_return 0;
}

int main(int argc, char** argv) { return plait::run(argc, argv, program); }
