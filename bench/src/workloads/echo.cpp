#include "workloads/echo.hpp"

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contenders/contenders.hpp"
#include "method/child.hpp"
#include "models/coro.hpp"
#include "workloads/units.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

constexpr int server_cpu = 0;
constexpr int client_cpu = 1;

// One connection, blocking, to its end.
void echo_until_closed(int fd) {
  char buffer[16 * 1024];
  for (;;) {
    ssize_t const n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) break;
    for (ssize_t sent = 0; sent < n;) {
      ssize_t const w = ::send(fd, buffer + sent, static_cast<std::size_t>(n - sent), MSG_NOSIGNAL);
      if (w < 0) break;
      sent += w;
    }
  }
  ::close(fd);
}

int accept_one(int listener) {
  int const fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0 && errno != ECONNABORTED && errno != EINTR) throw_errno("accept");
  return fd;
}

void thread_server(std::uint16_t port, announce_port const& announce) {
  int const listener = listen_on_loopback(port, false, announce);
  for (;;)
    if (int const fd = accept_one(listener); fd >= 0) std::thread(echo_until_closed, fd).detach();
}

void process_server(std::uint16_t port, announce_port const& announce) {
  int const listener = listen_on_loopback(port, false, announce);
  ::signal(SIGCHLD, SIG_IGN);  // nobody waits for them
  for (;;) {
    int const fd = accept_one(listener);
    if (fd < 0) continue;
    fork_child([&] {
      ::close(listener);
      echo_until_closed(fd);
    });
    ::close(fd);
  }
}

rep_result run(cell const& c) {
  std::string const model(c.model_name());
  running_child server({"__serve-echo", model, "--announce", "3"}, {}, running_child::group::member,
                       server_cpu);
  std::string const port = server.read_line(10);
  if (port.empty()) throw std::runtime_error("the server: " + server.finish(2).reason());
  double const patience = c.warmup_s + c.window_s + 15;
  running_child client({"__load-echo", "--announce", "3", "--port", port, "--connections",
                        std::to_string(c.n), "--warmup", std::to_string(c.warmup_s), "--window",
                        std::to_string(c.window_s), "--server", std::to_string(server.pid())},
                       {}, running_child::group::member, client_cpu);
  child_end const end = client.finish(patience);
  if (!end.ok()) throw std::runtime_error("the client: " + end.reason());
  return rep_from_json(end.output);
}

struct named_server {
  std::string_view name;
  echo_server serve;
};
constexpr named_server servers[] = {
    {"coro", coro_serve_echo}, {"thread", thread_server},   {"process", process_server},
    {"asio", asio_serve_echo}, {"epoll", epoll_serve_echo}, {"uring", uring_serve_echo},
};

}  // namespace

echo_server find_echo_server(std::string_view name) {
  for (named_server const& s : servers)
    if (s.name == name) return s.serve;
  return nullptr;
}

int listen_on_loopback(std::uint16_t port, bool nonblocking, announce_port const& announce) {
  int const fd =
      ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
  if (fd < 0) throw_errno("socket");
  int const on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  if (::bind(fd, reinterpret_cast<sockaddr const*>(&at), length) != 0 || ::listen(fd, 4096) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &length) != 0)
    throw_errno(fmt::format("listening on 127.0.0.1:{} (choose another port)", port));
  announce(ntohs(at.sin_port));
  return fd;
}

workload io_echo() {
  auto const one_thread = [](cell const& c) {
    need n;
    n.descriptors = static_cast<double>(c.n);
    return n;
  };
  auto const threads = [](cell const& c) {
    need n = needs_threads(static_cast<double>(c.n));
    n.descriptors = static_cast<double>(c.n);
    return n;
  };
  auto const processes = [](cell const& c) {
    need n = needs_processes(static_cast<double>(c.n));
    n.descriptors = static_cast<double>(c.n);  // the client's
    return n;
  };
  return {
      .id = "io.echo",
      .title = "64-byte messages over loopback TCP, N connections in closed loop: per second",
      .operation = "message",
      .figure = metric::per_second,
      .sizes = {100},
      .full_sizes = {1, 10, 100, 1'000, 10'000},
      .models = {{"coro", run, one_thread, true},
                 {"thread", run, threads},
                 {"process", run, processes},
                 {"asio", run, one_thread},
                 {"epoll", run, one_thread},
                 {"uring", run, one_thread}},
  };
}

}  // namespace plait::lab
