#include "sim_unix.hpp"
#include "sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>

namespace plait::io::sim {
namespace {

constexpr std::size_t queue_max = 10;  // net.unix.max_dgram_qlen; the queue is full with one more
constexpr std::size_t charged_max = 212992;
constexpr std::size_t local_overhead = 668;  // what a kernel charges beside a message's bytes, about

}  // namespace

std::pair<open_file_ptr, open_file_ptr> unix_datagram_socket::make_pair(world& in) {
  auto const one = std::make_shared<unix_datagram_socket>(in);
  auto const other = std::make_shared<unix_datagram_socket>(in);
  one->connect_to(other);
  other->connect_to(one);
  return {one, other};
}

void unix_datagram_socket::connect_to(datagram_ptr const& peer) {
  connected_ = true;
  peer_ = peer;
  peer->senders_.push_back(self());
}

// Who is connected to each other has only the sender's limit.
bool unix_datagram_socket::is_full_for(unix_datagram_socket const& sender) const noexcept {
  return received_.size() > queue_max && peer_.lock().get() != &sender;
}

void unix_datagram_socket::tell_senders() const {
  for (auto const& one : senders_) {
    if (auto const sender = one.lock()) sender->changed();
  }
}

short unix_datagram_socket::ready() const noexcept {
  short events = error_ != 0 ? POLLERR : 0;
  if (!received_.empty()) events |= POLLIN;
  auto const peer = peer_.lock();
  if (charged_ < charged_max && (peer == nullptr || !peer->is_full_for(*this))) events |= POLLOUT;
  return events;
}

int unix_datagram_socket::connect(sockaddr const* to, socklen_t size) noexcept {
  any_socket* found = nullptr;
  if (int const answer = find_peer(to, size, found); answer < 0) return answer;
  auto& peer = static_cast<unix_datagram_socket&>(*found);
  auto const own = peer.peer_.lock();
  if (own != nullptr && own.get() != this) return -EPERM;
  connect_to(peer.self());
  return 0;
}

ssize_t unix_datagram_socket::sendmsg(msghdr const& message, int) noexcept {
  std::size_t const bytes = bytes_of(message);
  std::vector<file_use> passed;
  if (int const answer = take_passed(world_, message, passed); answer < 0) return answer;
  datagram_ptr to;
  if (message.msg_name != nullptr) {
    any_socket* found = nullptr;
    int const answer =
        find_peer(static_cast<sockaddr const*>(message.msg_name), message.msg_namelen, found);
    if (answer < 0) return answer;
    to = static_cast<unix_datagram_socket&>(*found).self();
  } else {
    if (!connected_) return -ENOTCONN;
    to = peer_.lock();
  }
  if (bytes > charged_max - 32) return -EMSGSIZE;
  if (charged_ >= charged_max) return -EAGAIN;
  if (to == nullptr || to->closed_) {
    connected_ = false;
    return -ECONNREFUSED;
  }
  auto const others = to->peer_.lock();
  if (others != nullptr && others.get() != this) return -EPERM;
  if (to->is_full_for(*this)) return -EAGAIN;
  charged_ += bytes + local_overhead;
  to->received_.push_back({gather(message, bytes), std::move(passed), local_, self()});
  to->changed();
  return static_cast<ssize_t>(bytes);
}

ssize_t unix_datagram_socket::recvmsg(msghdr& message, int flags) noexcept {
  if (received_.empty()) return -EAGAIN;
  letter got = std::move(received_.front());
  received_.pop_front();
  std::size_t const n = std::min(bytes_of(message), got.bytes.size());
  scatter(message, {got.bytes.data(), n});
  if (message.msg_name != nullptr && got.sender.size > 2) {
    got.sender.give(static_cast<sockaddr*>(message.msg_name), message.msg_namelen);
  } else {
    message.msg_namelen = 0;
  }
  message.msg_flags = n < got.bytes.size() ? MSG_TRUNC : 0;
  give_passed(world_, message, std::move(got.passed));
  pay_back(got);
  if (received_.size() == queue_max) tell_senders();
  return static_cast<ssize_t>((flags & MSG_TRUNC) != 0 ? got.bytes.size() : n);
}

void unix_datagram_socket::pay_back(letter const& taken) {
  auto const sender = taken.from.lock();
  if (sender == nullptr) return;
  sender->charged_ -= taken.bytes.size() + local_overhead;
  sender->changed();
}

int unix_datagram_socket::getpeername(sockaddr* into, socklen_t& size) noexcept {
  auto const peer = peer_.lock();
  if (!connected_ || peer == nullptr) return -ENOTCONN;
  peer->local().give(into, size);
  return 0;
}

void unix_datagram_socket::last_close() noexcept {
  world_.unix_sockets().release(*this);
  closed_ = true;
  auto const never_taken = std::exchange(received_, {});
  for (letter const& one : never_taken) pay_back(one);
  tell_senders();
}

}  // namespace plait::io::sim
