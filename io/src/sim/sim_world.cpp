#include "sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

namespace plait::io::sim {

void agenda::after(duration d, std::function<void()> what) {
  events_.emplace(key{now_ + d, random_.next(), ++number_}, std::move(what));
}

void agenda::after(duration d, time_point& line, std::function<void()> what) {
  line = std::max(line + duration(1), now_ + d);
  events_.emplace(key{line, random_.next(), ++number_}, std::move(what));
}

time_point agenda::next() const noexcept {
  return events_.empty() ? no_deadline : events_.begin()->first.at;
}

std::size_t agenda::run_due() {
  std::size_t ran = 0;
  for (; !events_.empty() && events_.begin()->first.at <= now_; ++ran) {
    auto const first = events_.extract(events_.begin());
    first.mapped()();
  }
  return ran;
}

struct world::file_content {
  std::string bytes;
};

struct world::object : std::enable_shared_from_this<object> {
  enum class state : std::uint8_t { fresh, listening, connecting, connected, file };

  int fd = -1;  // while it is open
  state is = state::fresh;
  sockaddr_storage local{};
  sockaddr_storage remote{};

  // A listener's.
  std::deque<object_ptr> established;
  std::size_t backlog = 0;

  // A connection's end.
  std::weak_ptr<object> peer;
  std::string arrived;
  std::size_t under_way = 0;  // bytes that the peer has sent and that have not arrived
  std::size_t window = 0;
  time_point line{};          // when the last segment to here arrives
  bool end_arrived = false;
  bool end_sent = false;
  bool reads_ended = false;
  bool closed = false;
  bool linger_zero = false;
  bool was_reset = false;
  int error = 0;  // for SO_ERROR, and for the next call

  std::shared_ptr<file_content> content;
  int flags = 0;

  int take_error() noexcept { return std::exchange(error, 0); }
};

namespace {

std::uint16_t port_of(sockaddr_storage const& a) noexcept {
  return a.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6 const&>(a).sin6_port
                                 : reinterpret_cast<sockaddr_in const&>(a).sin_port;
}

void set_port(sockaddr_storage& a, std::uint16_t port) noexcept {
  (a.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(a).sin6_port
                           : reinterpret_cast<sockaddr_in&>(a).sin_port) = port;
}

socklen_t size_of(sockaddr_storage const& a) noexcept {
  return a.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

void give(sockaddr_storage const& a, sockaddr* into, socklen_t& size) noexcept {
  std::memcpy(into, &a, std::min(size, size_of(a)));
  size = size_of(a);
}

}  // namespace

world::world(testing::sim_options const& options, random_numbers& random, agenda& plan)
    : options_(options), random_(random), plan_(plan) {}

// The lowest number that is free, as the kernel's.
int world::enter(object_ptr o) {
  int fd = first_fd;
  for (auto const& [taken, open] : table_) {
    if (taken != fd) break;
    ++fd;
  }
  o->fd = fd;
  table_.emplace(fd, std::move(o));
  return fd;
}

world::object* world::find(int fd) noexcept {
  auto const at = table_.find(fd);
  return at == table_.end() ? nullptr : at->second.get();
}

duration world::latency() noexcept {
  // One segment in a thousand is very late.
  int const times = random_.chance(0.001) ? 50 : 1;
  return random_.between(options_.latency_min, options_.latency_max) * times;
}

std::size_t world::some(std::size_t most) noexcept {
  if (most <= 1 || !random_.chance(options_.short_transfer)) return most;
  return 1 + static_cast<std::size_t>(random_.below(most));
}

void world::changed(object const& o) const {
  if (o.fd >= 0 && on_change) on_change(o.fd);
}

short world::ready(int fd) noexcept {
  object const* const o = find(fd);
  if (o == nullptr) return POLLNVAL;
  if (o->is == object::state::file) return POLLIN | POLLOUT;
  short events = 0;
  if (!o->established.empty() || !o->arrived.empty() || o->end_arrived || o->reads_ended) events |= POLLIN;
  if (o->error != 0 || o->was_reset) events |= POLLIN | POLLOUT | POLLERR;
  if (o->is == object::state::connected) {
    auto const peer = o->peer.lock();
    if (peer == nullptr || peer->closed || o->end_sent ||
        peer->arrived.size() + peer->under_way < peer->window) {
      events |= POLLOUT;
    }
    if (o->end_arrived && o->end_sent) events |= POLLHUP;
  }
  return events;
}

int world::socket(int family, int) noexcept {
  if (family != AF_INET && family != AF_INET6) return -EAFNOSUPPORT;
  auto o = std::make_shared<object>();
  o->local.ss_family = static_cast<sa_family_t>(family);
  return enter(std::move(o));
}

int world::bind(int fd, sockaddr const* at, socklen_t size) noexcept {
  object* const o = find(fd);
  if (o == nullptr) return -EBADF;
  std::memcpy(&o->local, at, std::min<std::size_t>(size, sizeof o->local));
  if (port_of(o->local) == 0) {
    set_port(o->local, htons(next_port_++));
  } else if (listener_at(o->local) != nullptr) {
    return -EADDRINUSE;
  }
  return 0;
}

int world::listen(int fd, int backlog) noexcept {
  object* const o = find(fd);
  if (o == nullptr) return -EBADF;
  o->is = object::state::listening;
  o->backlog = static_cast<std::size_t>(std::max(backlog, 1));
  return 0;
}

world::object_ptr world::listener_at(sockaddr_storage const& to) noexcept {
  for (auto const& [fd, o] : table_) {
    if (o->is == object::state::listening && port_of(o->local) == port_of(to)) return o;
  }
  return nullptr;
}

int world::connect(int fd, sockaddr const* to, socklen_t size) noexcept {
  object* const o = find(fd);
  if (o == nullptr) return -EBADF;
  if (o->is == object::state::connected) return -EISCONN;
  if (o->is == object::state::connecting) return -EALREADY;
  if (o->is != object::state::fresh) return -EINVAL;
  std::memcpy(&o->remote, to, std::min<std::size_t>(size, sizeof o->remote));
  if (port_of(o->local) == 0) set_port(o->local, htons(next_port_++));
  o->is = object::state::connecting;
  plan_.after(latency(), [this, client = o->shared_from_this()] { arrive_at_listener(client); });
  return -EINPROGRESS;
}

// A full backlog answers nothing: the connection is tried again a second later, as a kernel does.
void world::arrive_at_listener(object_ptr const& client) {
  if (client->closed || client->is != object::state::connecting) return;
  object_ptr const listener = listener_at(client->remote);
  if (listener == nullptr) {
    plan_.after(latency(), [this, client] {
      client->is = object::state::fresh;
      client->error = ECONNREFUSED;
      changed(*client);
    });
    return;
  }
  if (listener->established.size() >= listener->backlog) {
    plan_.after(std::chrono::seconds(1), [this, client] { arrive_at_listener(client); });
    return;
  }
  auto const server = std::make_shared<object>();
  server->is = object::state::connected;
  server->local = client->remote;
  server->remote = client->local;
  server->peer = client;
  server->window = 1 + random_.below(options_.window_bytes_max);
  client->window = 1 + random_.below(options_.window_bytes_max);
  client->peer = server;
  listener->established.push_back(server);
  changed(*listener);
  plan_.after(latency(), client->line, [this, client] {
    if (client->is == object::state::connecting) client->is = object::state::connected;
    changed(*client);
  });
}

int world::accept(int fd) noexcept {
  object* const o = find(fd);
  if (o == nullptr) return -EBADF;
  if (o->is != object::state::listening) return -EINVAL;
  if (o->established.empty()) return -EAGAIN;
  object_ptr const next = o->established.front();
  o->established.pop_front();
  return enter(next);
}

ssize_t world::recv(int fd, void* to, std::size_t bytes, int) noexcept {
  object* const o = find(fd);
  if (o == nullptr) return -EBADF;
  if (o->is != object::state::connected) return -ENOTCONN;
  if (int const error = o->take_error()) return -error;
  if (o->arrived.empty()) return o->end_arrived || o->reads_ended || o->was_reset ? 0 : -EAGAIN;
  std::size_t const n = some(std::min(bytes, o->arrived.size()));
  std::memcpy(to, o->arrived.data(), n);
  o->arrived.erase(0, n);
  // The peer learns of the room a while later.
  plan_.after(latency(), [this, peer = o->peer] {
    if (auto const p = peer.lock()) changed(*p);
  });
  return static_cast<ssize_t>(n);
}

ssize_t world::send(int fd, void const* from, std::size_t bytes, int) noexcept {
  object* const o = find(fd);
  if (o == nullptr) return -EBADF;
  if (o->is != object::state::connected) return o->is == object::state::connecting ? -EAGAIN : -EPIPE;
  if (int const error = o->take_error()) return -error;
  if (o->end_sent || o->was_reset) return -EPIPE;
  object_ptr const peer = o->peer.lock();
  if (peer == nullptr) return -EPIPE;
  std::size_t const room = peer->window - std::min(peer->window, peer->arrived.size() + peer->under_way);
  if (room == 0 && !peer->closed) return -EAGAIN;
  std::size_t const n = some(std::min(bytes, peer->closed ? bytes : room));
  peer->under_way += n;
  bool const breaks = random_.chance(options_.reset);
  plan_.after(latency(), peer->line,
              [this, peer, breaks, text = std::string(static_cast<char const*>(from), n)] {
                peer->under_way -= text.size();
                if (peer->closed || breaks) return send_reset(*peer);
                if (peer->was_reset || peer->reads_ended) return;
                peer->arrived += text;
                changed(*peer);
              });
  return static_cast<ssize_t>(n);
}

// Both ends of the connection learn of it: the other one a while later.
void world::send_reset(object& o) {
  if (!o.closed && !o.was_reset) {
    o.was_reset = true;
    o.error = ECONNRESET;
    o.arrived.clear();
    changed(o);
  }
  object_ptr const other = o.peer.lock();
  if (other == nullptr || other->closed || other->was_reset) return;
  plan_.after(latency(), other->line, [this, other] {
    if (other->closed || other->was_reset) return;
    other->was_reset = true;
    other->error = ECONNRESET;
    other->arrived.clear();
    changed(*other);
  });
}

void world::finish_sending(object& o) {
  if (std::exchange(o.end_sent, true)) return;
  object_ptr const peer = o.peer.lock();
  if (peer == nullptr) return;
  plan_.after(latency(), peer->line, [this, peer] {
    peer->end_arrived = true;
    changed(*peer);
  });
}

int world::shutdown(int fd, int how) noexcept {
  object* const o = find(fd);
  if (o == nullptr) return -EBADF;
  if (o->is == object::state::listening) {
    o->is = object::state::fresh;
    for (object_ptr const& waiting : o->established) {
      waiting->closed = true;
      send_reset(*waiting);
    }
    o->established.clear();
    o->error = EINVAL;
    changed(*o);
    return 0;
  }
  if (o->is != object::state::connected) return -ENOTCONN;
  if (how != SHUT_RD) finish_sending(*o);
  if (how != SHUT_WR) o->reads_ended = true;
  changed(*o);
  return 0;
}

// Unread data makes a close a reset.
int world::close(int fd) noexcept {
  auto const at = table_.find(fd);
  if (at == table_.end()) return -EBADF;
  object_ptr const o = at->second;
  table_.erase(at);
  o->fd = -1;
  if (o->is == object::state::listening) {
    for (object_ptr const& waiting : o->established) {
      waiting->closed = true;
      send_reset(*waiting);
    }
    o->established.clear();
  }
  o->closed = true;
  if (o->is != object::state::connected) return 0;
  if (o->linger_zero || !o->arrived.empty()) {
    send_reset(*o);
  } else {
    finish_sending(*o);
    if (auto const peer = o->peer.lock()) changed(*peer);
  }
  return 0;
}

int world::setsockopt(int fd, int level, int name, void const* value, socklen_t size) noexcept {
  object* const o = find(fd);
  if (o == nullptr) return -EBADF;
  if (level == SOL_SOCKET && name == SO_LINGER && size >= sizeof(linger)) {
    auto const& asked = *static_cast<linger const*>(value);
    o->linger_zero = asked.l_onoff != 0 && asked.l_linger == 0;
  }
  return 0;
}

int world::getsockopt(int fd, int level, int name, void* value, socklen_t& size) noexcept {
  object* const o = find(fd);
  if (o == nullptr) return -EBADF;
  if (level != SOL_SOCKET || name != SO_ERROR || size < sizeof(int)) return -ENOPROTOOPT;
  int const error = o->take_error();
  std::memcpy(value, &error, sizeof error);
  return 0;
}

int world::getsockname(int fd, sockaddr* into, socklen_t& size) noexcept {
  object const* const o = find(fd);
  if (o == nullptr) return -EBADF;
  give(o->local, into, size);
  return 0;
}

int world::getpeername(int fd, sockaddr* into, socklen_t& size) noexcept {
  object const* const o = find(fd);
  if (o == nullptr) return -EBADF;
  if (o->is != object::state::connected) return -ENOTCONN;
  give(o->remote, into, size);
  return 0;
}

int world::open(char const* path, int flags, mode_t) noexcept {
  auto at = files_.find(path);
  if (at != files_.end() && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return -EEXIST;
  if (at == files_.end()) {
    if ((flags & O_CREAT) == 0) return -ENOENT;
    at = files_.emplace(path, std::make_shared<file_content>()).first;
  }
  if ((flags & O_TRUNC) != 0) at->second->bytes.clear();
  auto o = std::make_shared<object>();
  o->is = object::state::file;
  o->content = at->second;
  o->flags = flags;
  return enter(std::move(o));
}

ssize_t world::pread(int fd, void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  object const* const o = find(fd);
  if (o == nullptr || o->content == nullptr || (o->flags & O_ACCMODE) == O_WRONLY) return -EBADF;
  std::string const& all = o->content->bytes;
  if (offset >= all.size() || bytes == 0) return 0;
  std::size_t const n = some(std::min(bytes, all.size() - static_cast<std::size_t>(offset)));
  std::memcpy(to, all.data() + offset, n);
  return static_cast<ssize_t>(n);
}

ssize_t world::pread_cached(int fd, void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  return random_.chance(0.5) ? pread(fd, to, bytes, offset) : -EAGAIN;
}

ssize_t world::pwrite(int fd, void const* from, std::size_t bytes, std::uint64_t offset) noexcept {
  object const* const o = find(fd);
  if (o == nullptr || o->content == nullptr || (o->flags & O_ACCMODE) == O_RDONLY) return -EBADF;
  std::string& all = o->content->bytes;
  std::size_t const n = some(bytes);
  if (all.size() < offset + n) all.resize(static_cast<std::size_t>(offset) + n);
  std::memcpy(all.data() + offset, from, n);
  return static_cast<ssize_t>(n);
}

int world::fstat(int fd, struct stat& into) noexcept {
  object const* const o = find(fd);
  if (o == nullptr) return -EBADF;
  into = {};
  into.st_mode = o->content != nullptr ? S_IFREG | 0644 : S_IFSOCK | 0600;
  if (o->content != nullptr) into.st_size = static_cast<off_t>(o->content->bytes.size());
  return 0;
}

ssize_t world::sendmsg(int, msghdr const&, int) noexcept { return -ENOSYS; }
ssize_t world::recvmsg(int, msghdr&, int) noexcept { return -ENOSYS; }
int world::socketpair(int, std::span<int, 2>) noexcept { return -ENOSYS; }
int world::pipe(std::span<int, 2>) noexcept { return -ENOSYS; }
int world::create_thread(pthread_t&, void* (*)(void*), void*) noexcept { return -ENOSYS; }
int world::spawn_self(pid_t&, char* const[], char* const[], int) noexcept { return -ENOSYS; }
pid_t world::fork() noexcept { return -ENOSYS; }
int world::pidfd_open(pid_t) noexcept { return -ENOSYS; }
int world::pidfd_send_signal(int, int) noexcept { return -ENOSYS; }
int world::wait_child(pid_t, siginfo_t&, int) noexcept { return -ENOSYS; }
int world::create_sealed_memory(char const*, std::size_t) noexcept { return -ENOSYS; }
int world::map_memory(int, std::size_t, void*&) noexcept { return -ENOSYS; }
int world::unmap_memory(void*, std::size_t) noexcept { return -ENOSYS; }

}  // namespace plait::io::sim
