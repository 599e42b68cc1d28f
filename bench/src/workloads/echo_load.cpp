#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "method/window.hpp"
#include "workloads/echo.hpp"
#include "workloads/units.hpp"

namespace plait::lab {

namespace {

constexpr std::size_t receive_bytes = 256 * 1024;
constexpr std::size_t period = 251;  // of the stream: prime, so that no message repeats another
constexpr std::uint64_t silence_ns = 5'000'000'000;

// Connection c sends the endless stream pattern[(7 c + offset) % period]: lost, repeated, swapped
// and strangers' bytes all show.
struct connection {
  int fd = -1;
  std::size_t phase = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t messages = 0;  // begun
  std::uint64_t began_ns = 0;
};

double machine_cpu_s() {
  std::ifstream file("/proc/stat");
  std::string cpu;
  double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0;
  file >> cpu >> user >> nice >> system >> idle >> wait >> irq >> soft >> steal;
  return (user + nice + system + irq + soft + steal) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

class load_generator {
 public:
  explicit load_generator(echo_load const& load);
  ~load_generator();
  rep_result run();

 private:
  int connect_one() const;
  void rest_one();
  void send(connection& c);
  void receive(connection& c);
  void completed(connection& c, std::uint64_t now);

  echo_load load_;
  int epoll_;
  std::vector<unsigned char> pattern_;
  std::vector<unsigned char> buffer_;
  std::vector<connection> connections_;
  std::vector<int> idle_;
  bool counting_ = false;
  histogram latency_;
  std::uint64_t requests_ = 0;
};

load_generator::load_generator(echo_load const& load)
    : load_(load),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      pattern_(period + receive_bytes),
      buffer_(receive_bytes),
      connections_(load.connections) {
  if (epoll_ < 0) throw_errno("epoll_create1");
  for (std::size_t i = 0; i < pattern_.size(); ++i)
    pattern_[i] = static_cast<unsigned char>(i % period);
  for (unsigned i = 0; i < load.idle; ++i) rest_one();
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    connection& c = connections_[i];
    c.fd = connect_one();
    c.phase = i * 7;
    ::fcntl(c.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = &c;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event) != 0) throw_errno("epoll_ctl");
  }
}

load_generator::~load_generator() {
  for (int const fd : idle_) ::close(fd);
  for (connection const& c : connections_)
    if (c.fd >= 0) ::close(c.fd);
  ::close(epoll_);
}

int load_generator::connect_one() const {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(load_.port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw_errno("socket for a client connection");
  timeval const patience{5, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  int const on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd, reinterpret_cast<sockaddr const*>(&to), sizeof to) != 0)
    throw_errno(fmt::format("connecting to the server on port {}", load_.port));
  return fd;
}

void load_generator::rest_one() {
  int const fd = connect_one();
  idle_.push_back(fd);
  std::array<unsigned char, 64> out{};
  std::array<unsigned char, 64> in{};
  out.fill(static_cast<unsigned char>(idle_.size()));
  if (::send(fd, out.data(), out.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(out.size()) ||
      ::recv(fd, in.data(), in.size(), MSG_WAITALL) != static_cast<ssize_t>(in.size()))
    throw_errno(fmt::format("first message of idle connection {}", idle_.size()));
  check_answer(in == out, "an idle connection's echo");
}

// Begins a message if none is under way, and sends what the socket takes of it.
void load_generator::send(connection& c) {
  std::size_t const size = load_.message_bytes;
  if (c.received == c.messages * size) {
    ++c.messages;
    c.began_ns = now_ns();
  }
  while (c.sent < c.messages * size) {
    std::size_t const left = std::min<std::size_t>(c.messages * size - c.sent, receive_bytes);
    ssize_t const n = ::send(c.fd, &pattern_[(c.phase + c.sent) % period], left, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return;  // EPOLLOUT will come
    if (n < 0) throw_errno("send");
    c.sent += static_cast<std::uint64_t>(n);
  }
}

void load_generator::completed(connection& c, std::uint64_t now) {
  if (!counting_) return;
  latency_.add(now - c.began_ns);
  ++requests_;
}

void load_generator::receive(connection& c) {
  for (;;) {
    ssize_t const n = ::recv(c.fd, buffer_.data(), buffer_.size(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) throw_errno("recv");
    if (n == 0) throw std::runtime_error("the server closed a connection");
    auto const bytes = static_cast<std::size_t>(n);
    check_answer(c.received + bytes <= c.sent, "more came back than was sent");
    check_answer(
        std::memcmp(buffer_.data(), &pattern_[(c.phase + c.received) % period], bytes) == 0,
        "other bytes came back than were sent");
    c.received += bytes;
    if (c.received == c.messages * load_.message_bytes) {
      completed(c, now_ns());
      send(c);
    }
    if (bytes < buffer_.size()) return;  // a short read has emptied the socket
  }
}

rep_result load_generator::run() {
  std::array<epoll_event, 1024> events{};
  auto const nanoseconds = [](double s) { return static_cast<std::uint64_t>(s * 1e9); };
  std::uint64_t began = now_ns();
  std::uint64_t end = began + nanoseconds(load_.warmup_s);
  std::uint64_t heard = began;
  usage server, client;
  double machine = 0;
  std::uint64_t half_at = 0, half_requests = 0;
  for (connection& c : connections_) send(c);
  for (;;) {
    int const n = ::epoll_wait(epoll_, events.data(), events.size(), 50);
    for (int i = 0; i < n; ++i) {
      auto& c = *static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (c.sent < c.messages * load_.message_bytes) send(c);
      receive(c);
    }
    std::uint64_t const now = now_ns();
    if (n > 0) heard = now;
    if (now - heard > silence_ns) throw std::runtime_error("the server has been silent for 5 s");
    if (counting_ && half_at == 0 && now >= end - nanoseconds(load_.window_s / 2))
      half_at = now, half_requests = requests_;
    if (now < end) continue;
    if (counting_) break;
    server = usage_of(load_.server);
    client = usage_now();
    machine = machine_cpu_s();
    counting_ = true;
    began = now_ns();
    end = began + nanoseconds(load_.window_s);
  }
  rep_result r;
  std::uint64_t const stop = now_ns();
  r.wall_s = static_cast<double>(stop - began) / 1e9;
  r.used = usage_of(load_.server) - server;
  double const own = (usage_now() - client).cpu_s();
  double const foreign = machine_cpu_s() - machine - own - r.used.cpu_s();
  r.ops = static_cast<double>(requests_);
  r.value = r.ops / r.wall_s;
  r.latency = latency_;
  r.extra["client_cpu"] = own / r.wall_s;
  r.extra["foreign_cpu"] = std::max(0.0, foreign / r.wall_s);
  if (half_requests >= 8 && requests_ > half_requests)
    r.drift = static_cast<double>(requests_ - half_requests) / static_cast<double>(stop - half_at) /
                  (static_cast<double>(half_requests) / static_cast<double>(half_at - began)) -
              1;
  if (requests_ == 0) r.error = "no message came back in the window";
  return r;
}

}  // namespace

rep_result run_echo_load(echo_load const& load) { return load_generator(load).run(); }

}  // namespace plait::lab
