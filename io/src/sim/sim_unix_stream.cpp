#include "sim_unix.hpp"
#include "sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>

namespace plait::io::sim {

unix_stream_socket::unix_stream_socket(world& in)
    : unix_socket(in, SOCK_STREAM),
      capacity_(1 + static_cast<std::size_t>(in.random().below(in.options().window_bytes_max))) {}

std::pair<open_file_ptr, open_file_ptr> unix_stream_socket::make_pair(world& in) {
  auto const one = std::make_shared<unix_stream_socket>(in);
  auto const other = std::make_shared<unix_stream_socket>(in);
  join(one, other);
  return {one, other};
}

void unix_stream_socket::join(stream_ptr const& one, stream_ptr const& other) {
  one->is_ = other->is_ = state::connected;
  one->peer_ = other;
  other->peer_ = one;
  one->remote_ = other->local_;
  other->remote_ = one->local_;
}

short unix_stream_socket::ready() const noexcept {
  short events = error_ != 0 ? POLLIN | POLLERR : 0;
  if (!waiting_.empty() || !arrived_.empty() || reads_ended_) events |= POLLIN;
  if (is_ == state::fresh || (reads_ended_ && writes_ended_)) events |= POLLHUP;
  if (is_ != state::listening && room() != 0) events |= POLLOUT;
  return events;
}

int unix_stream_socket::listen(int backlog) noexcept {
  if (is_ == state::connected || local_.size <= 2) return -EINVAL;
  is_ = state::listening;
  backlog_ = static_cast<std::size_t>(std::max(backlog, 0));
  return 0;
}

int unix_stream_socket::accept(file_use& accepted) noexcept {
  if (is_ != state::listening) return -EINVAL;
  if (waiting_.empty()) return reads_ended_ ? -EINVAL : -EAGAIN;
  accepted = std::move(waiting_.front());
  waiting_.pop_front();
  static_cast<unix_stream_socket&>(*accepted.file()).accepted_ = true;
  return 0;
}

// Done at once, before anybody accepts.
int unix_stream_socket::connect(sockaddr const* to, socklen_t size) noexcept {
  any_socket* found = nullptr;
  if (int const answer = find_peer(to, size, found); answer < 0) return answer;
  if (is_ != state::fresh) return is_ == state::connected ? -EISCONN : -EINVAL;
  auto& listener = static_cast<unix_stream_socket&>(*found);
  if (listener.is_ != state::listening || listener.reads_ended_) return -ECONNREFUSED;
  if (listener.waiting_.size() > listener.backlog_) return -EAGAIN;
  auto const server = std::make_shared<unix_stream_socket>(world_);
  server->local_ = listener.local_;
  server->accepted_ = false;
  join(std::static_pointer_cast<unix_stream_socket>(shared_from_this()), server);
  listener.waiting_.emplace_back(server);
  listener.changed();
  return 0;
}

std::size_t unix_stream_socket::room() const noexcept {
  if (peer_ == nullptr) return capacity_;
  return peer_->capacity_ - std::min(peer_->capacity_, peer_->arrived_bytes_);
}

ssize_t unix_stream_socket::sendmsg(msghdr const& message, int) noexcept {
  if (is_ != state::connected) return -ENOTCONN;
  std::vector<file_use> passed;
  if (int const answer = take_passed(world_, message, passed); answer < 0) return answer;
  if (writes_ended_) return -EPIPE;
  std::size_t const wanted = bytes_of(message);
  if (wanted == 0) return 0;
  if (room() == 0) return -EAGAIN;
  std::string text = gather(message, world_.some(std::min(wanted, room())));
  auto const n = static_cast<ssize_t>(text.size());
  peer_->arrived_bytes_ += text.size();
  peer_->arrived_.push_back({std::move(text), std::move(passed)});
  peer_->changed();
  return n;
}

// Descriptors end a read, together with the bytes that they came with.
ssize_t unix_stream_socket::recvmsg(msghdr& message, int) noexcept {
  if (is_ != state::connected) return -EINVAL;
  if (arrived_.empty()) {
    if (int const error = take_error()) return -error;
    if (!reads_ended_) return -EAGAIN;
  }
  message.msg_namelen = 0;
  message.msg_flags = 0;
  std::size_t const most = world_.some(std::min(bytes_of(message), arrived_bytes_));
  std::string text;
  std::vector<file_use> passed;
  while (text.size() < most && passed.empty()) {
    piece& next = arrived_.front();
    std::size_t const part = std::min(next.bytes.size(), most - text.size());
    text.append(next.bytes, 0, part);
    next.bytes.erase(0, part);
    passed = std::exchange(next.passed, {});
    if (next.bytes.empty()) arrived_.pop_front();
  }
  arrived_bytes_ -= text.size();
  scatter(message, text);
  give_passed(world_, message, std::move(passed));
  if (peer_ != nullptr) peer_->changed();
  return static_cast<ssize_t>(text.size());
}

void unix_stream_socket::end(bool reads, bool writes) {
  reads_ended_ |= reads;
  writes_ended_ |= writes;
  changed();
}

int unix_stream_socket::shutdown(int how) noexcept {
  end(how != SHUT_WR, how != SHUT_RD);
  if (peer_ != nullptr) peer_->end(how != SHUT_RD, how != SHUT_WR);
  return 0;
}

int unix_stream_socket::getpeername(sockaddr* into, socklen_t& size) noexcept {
  if (is_ != state::connected) return -ENOTCONN;
  remote_.give(into, size);
  return 0;
}

// What was not read, or not accepted, makes a close a reset.
void unix_stream_socket::last_close() noexcept {
  world_.unix_sockets().release(*this);
  auto const never_accepted = std::exchange(waiting_, {});
  auto const never_read = std::exchange(arrived_, {});
  is_ = state::fresh;
  auto const peer = std::exchange(peer_, nullptr);
  if (peer == nullptr) return;
  peer->peer_.reset();
  if (!accepted_ || !never_read.empty()) peer->error_ = ECONNRESET;
  peer->end(true, true);
}

}  // namespace plait::io::sim
