#include "sim_tcp.hpp"

#include "sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <poll.h>

namespace plait::io::sim {
namespace {

using namespace std::chrono_literals;

constexpr duration first_syn_wait = 1s;  // before a SYN is sent again; doubled each time
constexpr duration last_syn_wait = 64s;  // after which the connection has timed out

}  // namespace

tcp_socket::tcp_socket(world& in, int family)
    : any_socket(in, family, SOCK_STREAM), line_(in.net().open_line()) {}

short tcp_socket::ready() const noexcept {
  if (is_ == state::listening) return established_.empty() ? 0 : POLLIN;
  short const error = error_ != 0 ? POLLIN | POLLOUT | POLLERR : 0;
  if (is_ == state::fresh) return error | POLLOUT | POLLHUP;
  if (is_ == state::connecting) return error;
  short events = error;
  if (!arrived_.empty() || end_arrived_ || reads_ended_ || was_reset_) events |= POLLIN;
  if (end_sent_ || was_reset_ || room() != 0) events |= POLLOUT;
  if (was_reset_ || (end_sent_ && (end_arrived_ || reads_ended_))) events |= POLLHUP;
  return events;
}

int tcp_socket::bind(sockaddr const* at, socklen_t size) noexcept {
  if (local_.port() != 0) return -EINVAL;
  socket_address wanted = socket_address::from(at, size);
  if (wanted.family() != local_.family()) return -EAFNOSUPPORT;
  int const answer = world_.tcp_ports().take(wanted, *this, shares_port_);
  if (answer == 0) local_ = wanted;
  return answer;
}

int tcp_socket::listen(int backlog) noexcept {
  if (is_ != state::fresh && is_ != state::listening) return -EINVAL;
  if (local_.port() == 0) {
    if (int const answer = world_.tcp_ports().take(local_, *this, false); answer < 0) return answer;
  }
  is_ = state::listening;
  backlog_ = static_cast<std::size_t>(std::max(backlog, 0));
  return 0;
}

int tcp_socket::accept(file_use& accepted) noexcept {
  if (is_ != state::listening) return -EINVAL;
  if (established_.empty()) return -EAGAIN;
  accepted = std::move(established_.front());
  established_.pop_front();
  static_cast<tcp_socket&>(*accepted.file()).resets_on_close_ = false;
  return 0;
}

int tcp_socket::connect(sockaddr const* to, socklen_t size) noexcept {
  if (is_ == state::connecting) return -EALREADY;
  if (is_ != state::fresh) return -EISCONN;
  socket_address const wanted = socket_address::from(to, size);
  if (wanted.family() != local_.family()) return -EAFNOSUPPORT;
  if (int const error = take_error()) return -error;
  if (local_.port() == 0) {
    if (int const answer = world_.tcp_ports().take(local_, *this, false); answer < 0)
      return -EADDRNOTAVAIL;
  }
  remote_ = wanted;
  if (local_.is_any()) local_.set_host(remote_);
  is_ = state::connecting;
  syn_taken_ = false;
  send_syn(first_syn_wait);
  return -EINPROGRESS;
}

void tcp_socket::send_syn(duration patience) {
  world_.net().datagram(local_, remote_, [this, client = self()] {
    auto* const there = static_cast<tcp_socket*>(world_.tcp_ports().find(remote_, world_.random()));
    if (is_ != state::connecting || closed_ || syn_taken_) return;
    if (there != nullptr && there->is_ == state::listening) return there->take_syn(client);
    world_.net().datagram(remote_, local_, [this, client] { fail_to_connect(ECONNREFUSED); });
  });
  retry_ = world_.plan().after(patience, [this, client = self(), patience] {
    if (patience >= last_syn_wait) return fail_to_connect(ETIMEDOUT);
    send_syn(patience * 2);
  });
}

void tcp_socket::fail_to_connect(int error) {
  if (is_ != state::connecting || closed_) return;
  world_.plan().forget(retry_);
  is_ = state::fresh;
  error_ = error;
  changed();
}

// A full backlog answers nothing: the SYN comes again.
void tcp_socket::take_syn(tcp_ptr const& client) {
  if (established_.size() + half_open_ > backlog_) return;
  ++half_open_;
  client->syn_taken_ = true;
  auto const server = std::make_shared<tcp_socket>(world_, local_.family());
  server->is_ = state::connected;
  server->local_ = client->remote_;
  server->remote_ = client->local_;
  server->window_ = world_.drawn_window();
  client->window_ = world_.drawn_window();
  world_.net().segment(client->line_, client->remote_, client->local_,
                       [client, server, listener = self()] { client->take_syn_ack(server, listener); });
}

void tcp_socket::take_syn_ack(tcp_ptr const& server, tcp_ptr const& listener) {
  if (is_ != state::connecting || closed_) {
    --listener->half_open_;  // given up: the server hears of it, and nobody else
    return;
  }
  world_.plan().forget(retry_);
  is_ = state::connected;
  peer_ = server;
  server->peer_ = self();
  server->resets_on_close_ = true;  // until it is accepted
  auto const kept = std::make_shared<file_use>(server);
  world_.net().segment(server->line_, local_, remote_, [kept, server, listener] {
    --listener->half_open_;
    if (listener->is_ != state::listening) return;
    listener->established_.push_back(std::move(*kept));
    listener->changed();
  });
  changed();
}

void tcp_socket::stop_listening() {
  is_ = state::fresh;
  established_.clear();
}

std::size_t tcp_socket::room() const noexcept {
  if (peer_->closed_) return peer_->window_;
  return peer_->window_ - std::min(peer_->window_, peer_->arrived_.size() + peer_->under_way_);
}

// What has come is there to be read, also after an end of the stream or a reset.
ssize_t tcp_socket::recvmsg(msghdr& message, int) noexcept {
  if (is_ == state::connecting) return -EAGAIN;
  if (is_ != state::connected) return error_ != 0 ? -take_error() : -ENOTCONN;
  if (!arrived_.empty()) {
    message.msg_namelen = 0;
    message.msg_controllen = 0;
    message.msg_flags = 0;
    std::size_t const n = world_.some(std::min(bytes_of(message), arrived_.size()));
    scatter(message, {arrived_.data(), n});
    arrived_.erase(0, n);
    // The peer learns of the room a while later.
    world_.net().segment(peer_->line_, local_, remote_, [peer = peer_] { peer->changed(); });
    return static_cast<ssize_t>(n);
  }
  if (end_arrived_) return 0;
  if (int const error = take_error()) return -error;
  return was_reset_ || reads_ended_ ? 0 : -EAGAIN;
}

ssize_t tcp_socket::sendmsg(msghdr const& message, int) noexcept {
  if (is_ == state::connecting) return -EAGAIN;
  if (int const error = take_error()) return -error;
  if (is_ != state::connected || end_sent_ || was_reset_) return -EPIPE;
  std::size_t const most = std::min(bytes_of(message), room());
  if (most == 0) return bytes_of(message) == 0 ? 0 : -EAGAIN;
  std::string text = gather(message, world_.some(most));
  auto const n = static_cast<ssize_t>(text.size());
  peer_->under_way_ += text.size();
  bool const breaks = world_.random().chance(world_.options().reset) ||
                      world_.net().breaks(local_, remote_);
  world_.net().segment(peer_->line_, local_, remote_,
                       [peer = peer_, breaks, text = std::move(text)] { peer->arrive(text, breaks); });
  return n;
}

void tcp_socket::arrive(std::string const& bytes, bool breaks) {
  under_way_ -= bytes.size();
  if (closed_ || breaks) {
    send_reset();
    be_reset();
    return;
  }
  if (was_reset_) return;
  arrived_ += bytes;
  changed();
}

void tcp_socket::send_reset() {
  if (peer_ == nullptr) return;
  world_.net().segment(peer_->line_, local_, remote_, [peer = peer_] { peer->be_reset(); });
}

void tcp_socket::be_reset() {
  if (closed_ || was_reset_) return;
  was_reset_ = true;
  error_ = end_arrived_ ? EPIPE : ECONNRESET;
  changed();
}

void tcp_socket::finish_sending() {
  if (std::exchange(end_sent_, true)) return;
  world_.net().segment(peer_->line_, local_, remote_, [peer = peer_] {
    if (peer->was_reset_) return;  // what comes behind a reset is nothing to the socket
    peer->end_arrived_ = true;
    peer->changed();
  });
}

int tcp_socket::shutdown(int how) noexcept {
  if (is_ == state::listening) {
    stop_listening();
    world_.tcp_ports().release(*this);  // listeners have SO_REUSEADDR: the next one may have the port now
    changed();
    return 0;
  }
  if (is_ != state::connected || was_reset_) return -ENOTCONN;
  if (how != SHUT_RD) finish_sending();
  if (how != SHUT_WR) reads_ended_ = true;
  changed();
  return 0;
}

// Unread data makes a close a reset.
void tcp_socket::last_close() noexcept {
  world_.tcp_ports().release(*this);
  if (is_ == state::listening) stop_listening();
  if (is_ == state::connecting) world_.plan().forget(retry_);
  closed_ = true;
  if (peer_ == nullptr) return;
  if (!was_reset_) {
    if (resets_on_close_ || !arrived_.empty()) {
      send_reset();
    } else {
      finish_sending();
    }
  }
  if (!peer_->closed_) return;
  peer_->peer_.reset();
  peer_.reset();
}

int tcp_socket::setsockopt(int level, int name, void const* value, socklen_t size) noexcept {
  if (level == SOL_SOCKET && name == SO_LINGER && size >= sizeof(linger)) {
    auto const& asked = *static_cast<linger const*>(value);
    resets_on_close_ = asked.l_onoff != 0 && asked.l_linger == 0;
    return 0;
  }
  return any_socket::setsockopt(level, name, value, size);
}

int tcp_socket::getpeername(sockaddr* into, socklen_t& size) noexcept {
  if (is_ != state::connected || was_reset_) return -ENOTCONN;
  remote_.give(into, size);
  return 0;
}

}  // namespace plait::io::sim
