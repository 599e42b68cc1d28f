#include "sim_udp.hpp"

#include "sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>

namespace plait::io::sim {
namespace {

constexpr std::size_t message_max = 65507;
constexpr std::size_t udp_overhead = 768;  // what a kernel charges beside a message's bytes, about
constexpr int receive_buffer_min = 2304;

bool same(socket_address const& a, socket_address const& b) noexcept {
  return a.port() == b.port() && a.same_host(b);
}

}  // namespace

short udp_socket::ready() const noexcept {
  short const readable = received_.empty() ? 0 : POLLIN;
  return readable | POLLOUT | (error_ != 0 ? POLLERR : 0);
}

int udp_socket::bind(sockaddr const* at, socklen_t size) noexcept {
  if (local_.port() != 0) return -EINVAL;
  socket_address wanted = socket_address::from(at, size);
  if (wanted.family() != local_.family()) return -EAFNOSUPPORT;
  int const answer = world_.udp_ports().take(wanted, *this, shares_port_);
  if (answer == 0) local_ = wanted;
  return answer;
}

int udp_socket::connect(sockaddr const* to, socklen_t size) noexcept {
  socket_address const wanted = socket_address::from(to, size);
  if (wanted.family() != local_.family()) return -EAFNOSUPPORT;
  if (local_.port() == 0) {
    if (int const answer = world_.udp_ports().take(local_, *this, false); answer < 0)
      return -EAGAIN;
  }
  remote_ = wanted;
  connected_ = true;
  if (local_.is_any()) local_.set_host(remote_);
  return 0;
}

ssize_t udp_socket::sendmsg(msghdr const& message, int) noexcept {
  if (message.msg_name == nullptr && !connected_) return -EDESTADDRREQ;
  socket_address to = remote_;
  if (message.msg_name != nullptr) {
    to = socket_address::from(static_cast<sockaddr const*>(message.msg_name), message.msg_namelen);
    if (to.family() != local_.family()) return -EAFNOSUPPORT;
    if (to.port() == 0) return -EINVAL;
  }
  std::size_t const bytes = bytes_of(message);
  if (bytes > message_max) return -EMSGSIZE;
  if (int const error = take_error()) return -error;
  if (local_.port() == 0) {
    if (int const answer = world_.udp_ports().take(local_, *this, false); answer < 0)
      return -EAGAIN;
  }
  socket_address from = local_;
  if (from.is_any()) from.set_host(to);
  auto const self = std::weak_ptr(std::static_pointer_cast<udp_socket>(shared_from_this()));
  world_.net().datagram(from, to, [&in = world_, self, from, to, text = gather(message, bytes)] {
    auto* const there = static_cast<udp_socket*>(in.udp_ports().find(to, in.random()));
    if (there != nullptr && (!there->connected_ || same(there->remote_, from))) {
      return there->arrive({from, text});
    }
    in.net().datagram(to, from, [self, to] {
      if (auto const sender = self.lock()) sender->hear_refusal(to);
    });
  });
  return static_cast<ssize_t>(bytes);
}

// What there is no room for is dropped.
void udp_socket::arrive(datagram came) {
  std::size_t const charge = came.bytes.size() + udp_overhead;
  if (!received_.empty() && charged_ + charge > charged_max_) return;
  charged_ += charge;
  received_.push_back(std::move(came));
  changed();
}

// Only who is connected hears of it.
void udp_socket::hear_refusal(socket_address const& by) {
  if (!connected_ || !same(remote_, by)) return;
  error_ = ECONNREFUSED;
  changed();
}

ssize_t udp_socket::recvmsg(msghdr& message, int flags) noexcept {
  if (int const error = take_error()) return -error;
  if (received_.empty()) return -EAGAIN;
  datagram const got = std::move(received_.front());
  received_.pop_front();
  charged_ -= got.bytes.size() + udp_overhead;
  std::size_t const n = std::min(bytes_of(message), got.bytes.size());
  scatter(message, {got.bytes.data(), n});
  if (message.msg_name != nullptr) {
    got.sender.give(static_cast<sockaddr*>(message.msg_name), message.msg_namelen);
  }
  message.msg_controllen = 0;
  message.msg_flags = n < got.bytes.size() ? MSG_TRUNC : 0;
  return static_cast<ssize_t>((flags & MSG_TRUNC) != 0 ? got.bytes.size() : n);
}

int udp_socket::setsockopt(int level, int name, void const* value, socklen_t size) noexcept {
  if (level == SOL_SOCKET && name == SO_RCVBUF && size >= sizeof(int)) {
    int asked = 0;
    std::memcpy(&asked, value, sizeof asked);
    charged_max_ = static_cast<std::size_t>(std::max(2 * asked, receive_buffer_min));
  }
  return any_socket::setsockopt(level, name, value, size);
}

int udp_socket::getpeername(sockaddr* into, socklen_t& size) noexcept {
  if (!connected_) return -ENOTCONN;
  remote_.give(into, size);
  return 0;
}

void udp_socket::last_close() noexcept { world_.udp_ports().release(*this); }

}  // namespace plait::io::sim
