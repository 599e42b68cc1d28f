// The least an epoll echo server has to do: one thread, edge-triggered, one shared buffer. A read
// shorter than the buffer ends a connection's turn, so a message costs one recv and one send, and
// a batch shares one epoll_wait. What the socket does not take is kept until EPOLLOUT.
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contenders/contenders.hpp"
#include "workloads/units.hpp"

namespace plait::lab {

namespace {

constexpr std::size_t buffer_bytes = 64 * 1024;

struct connection {
  int fd;
  std::vector<char> pending;
  std::size_t pending_from = 0;
};

class server {
 public:
  explicit server(int listener);
  [[noreturn]] void run();

 private:
  enum class flow { done, blocked, broken };
  void accept_all();
  flow flush(connection& c);
  bool serve(connection& c);  // false: it is over
  flow echo(connection& c, std::size_t bytes);

  int listener_;
  int epoll_;
  std::unique_ptr<char[]> buffer_;
};

server::server(int listener)
    : listener_(listener),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      buffer_(std::make_unique_for_overwrite<char[]>(buffer_bytes)) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listener, &event) != 0) throw_errno("epoll");
}

void server::accept_all() {
  for (int fd; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = new connection{fd, {}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) throw_errno("epoll_ctl");
  }
}

server::flow server::flush(connection& c) {
  while (c.pending_from < c.pending.size()) {
    ssize_t const n = ::send(c.fd, c.pending.data() + c.pending_from,
                             c.pending.size() - c.pending_from, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN ? flow::blocked : flow::broken;
    c.pending_from += static_cast<std::size_t>(n);
  }
  c.pending.clear();
  c.pending_from = 0;
  return flow::done;
}

server::flow server::echo(connection& c, std::size_t bytes) {
  ssize_t sent = ::send(c.fd, buffer_.get(), bytes, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return flow::broken;
  if (sent < 0) sent = 0;
  if (static_cast<std::size_t>(sent) == bytes) return flow::done;
  c.pending.assign(buffer_.get() + sent, buffer_.get() + bytes);
  return flush(c);  // room may have come since, and its edge with it
}

bool server::serve(connection& c) {
  if (!c.pending.empty())
    if (flow const f = flush(c); f != flow::done) return f == flow::blocked;
  for (;;) {
    ssize_t const n = ::recv(c.fd, buffer_.get(), buffer_bytes, 0);
    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) return false;
    if (flow const f = echo(c, static_cast<std::size_t>(n)); f != flow::done)
      return f == flow::blocked;
    if (static_cast<std::size_t>(n) < buffer_bytes) return true;
  }
}

void server::run() {
  std::array<epoll_event, 1024> events{};
  for (;;) {
    int const n = ::epoll_wait(epoll_, events.data(), events.size(), -1);
    for (int i = 0; i < n; ++i) {
      auto* c = static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (!c) {
        accept_all();
      } else if (!serve(*c)) {
        ::close(c->fd);
        delete c;
      }
    }
  }
}

}  // namespace

void epoll_serve_echo(std::uint16_t port, announce_port const& announce) {
  server(listen_on_loopback(port, true, announce)).run();
}

}  // namespace plait::lab
