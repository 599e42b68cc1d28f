#include "sim_world.hpp"

#include "sim_pipe.hpp"
#include "sim_tcp.hpp"
#include "sim_udp.hpp"
#include "sim_unix.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>

namespace plait::io::sim {

world::world(testing::sim_options const& options, random_numbers& random, agenda& plan)
    : options_(options), random_(random), plan_(plan), network_(options_, random, plan),
      files_(options_, random, plan) {}

// What is left open is closed, and nothing comes of that.
world::~world() {
  on_change = nullptr;
  plan_.end();
  network_.end();
  table_.clear();
}

// The lowest number that is free, as the kernel's.
int world::enter(file_use of) {
  int fd = first_fd;
  for (auto const& [taken, open] : table_) {
    if (taken != fd) break;
    ++fd;
  }
  of.file()->descriptors_.push_back(fd);
  table_.emplace(fd, std::move(of));
  return fd;
}

open_file* world::find(int fd) noexcept {
  auto const at = table_.find(fd);
  return at == table_.end() ? nullptr : at->second.file().get();
}

std::size_t world::some(std::size_t most) noexcept {
  if (most <= 1 || !random_.chance(options_.short_transfer)) return most;
  return 1 + static_cast<std::size_t>(random_.below(most));
}

std::size_t world::drawn_window() noexcept {
  return options_.window_bytes_max - static_cast<std::size_t>(random_.below(options_.window_bytes_max));
}

int world::exhausted(std::size_t wanted) noexcept {
  if (table_.size() + wanted > options_.descriptors_max) return -EMFILE;
  if (!random_.chance(options_.exhausted)) return 0;
  constexpr int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
  return -errors[random_.below(4)];
}

short world::ready(int fd) noexcept {
  open_file const* const f = find(fd);
  return f != nullptr ? f->ready() : POLLNVAL;
}

testing::sim_ledger world::ledger() const noexcept {
  std::size_t reached = 0;
  for (auto at = table_.begin(); at != table_.end(); ++at) {
    if (at->second.file()->descriptors_.front() == at->first) ++reached;
  }
  return {table_.size(), open_files_ - reached, network_.under_way(), plan_.size(),
          tcp_ports_.size() + udp_ports_.size() + unix_names_.size()};
}

int world::close(int fd) noexcept {
  auto const at = table_.find(fd);
  if (at == table_.end()) return -EBADF;
  std::erase(at->second.file()->descriptors_, fd);
  auto const last = table_.extract(at);
  return 0;
}

int world::socket(int family, int type) noexcept {
  if (int const error = exhausted(); error < 0) return error;
  bool const streams = (type & SOCK_STREAM) != 0;
  if (family == AF_UNIX) {
    if (streams) return enter(file_use(std::make_shared<unix_stream_socket>(*this)));
    return enter(file_use(std::make_shared<unix_datagram_socket>(*this)));
  }
  if (family != AF_INET && family != AF_INET6) return -EAFNOSUPPORT;
  if (streams) return enter(file_use(std::make_shared<tcp_socket>(*this, family)));
  return enter(file_use(std::make_shared<udp_socket>(*this, family)));
}

int world::enter_pair(std::pair<open_file_ptr, open_file_ptr> ends, std::span<int, 2> into) {
  into[0] = enter(file_use(std::move(ends.first)));
  into[1] = enter(file_use(std::move(ends.second)));
  return 0;
}

int world::socketpair(int type, std::span<int, 2> ends) noexcept {
  if (int const error = exhausted(2); error < 0) return error;
  return enter_pair((type & SOCK_STREAM) != 0 ? unix_stream_socket::make_pair(*this)
                                              : unix_datagram_socket::make_pair(*this),
                    ends);
}

int world::pipe(std::span<int, 2> ends) noexcept {
  if (int const error = exhausted(2); error < 0) return error;
  return enter_pair(pipe_end::make_pair(*this), ends);
}

int world::accept(int fd) noexcept {
  open_file* const f = find(fd);
  if (f == nullptr) return -EBADF;
  if (int const error = exhausted(); error < 0) return error;
  file_use accepted;
  int const answer = f->accept(accepted);
  return answer < 0 ? answer : enter(std::move(accepted));
}

int world::open(char const* path, int flags, mode_t permissions) noexcept {
  if (int const error = exhausted(); error < 0) return error;
  file_node_ptr node;
  int const answer = files_.open(path, flags, permissions, node);
  return answer < 0 ? answer : enter(file_use(std::make_shared<node_file>(*this, node, flags)));
}

int world::statx(int fd, char const* path, int flags, unsigned, struct statx& into) noexcept {
  struct stat found;
  int answer = 0;
  if (*path == '\0' && (flags & AT_EMPTY_PATH) != 0) {
    answer = fstat(fd, found);
  } else {
    file_node_ptr node;
    answer = files_.find(path, node);
    if (answer == 0) file_system::describe(*node, found);
  }
  if (answer < 0) return answer;
  auto const time_of = [](timespec const& t) {
    return statx_timestamp{t.tv_sec, static_cast<__u32>(t.tv_nsec), {}};
  };
  into = {};
  into.stx_mask = STATX_BASIC_STATS;
  into.stx_mode = static_cast<__u16>(found.st_mode);
  into.stx_ino = found.st_ino;
  into.stx_dev_minor = static_cast<__u32>(found.st_dev);
  into.stx_nlink = static_cast<__u32>(found.st_nlink);
  into.stx_size = static_cast<__u64>(found.st_size);
  into.stx_blocks = static_cast<__u64>(found.st_blocks);
  into.stx_atime = time_of(found.st_atim);
  into.stx_mtime = time_of(found.st_mtim);
  into.stx_ctime = time_of(found.st_ctim);
  return 0;
}

int world::rename(char const* from, char const* to, unsigned flags) noexcept {
  return files_.rename(from, to, flags);
}

int world::unlink(char const* path) noexcept { return files_.remove_file(path); }
int world::rmdir(char const* path) noexcept { return files_.remove_directory(path); }
int world::mkdir(char const* path, mode_t permissions) noexcept {
  return files_.make_directory(path, permissions);
}

int world::fstat(int fd, struct stat& into) noexcept {
  open_file const* const f = find(fd);
  into = {};
  return f != nullptr ? f->stat(into) : -EBADF;
}

int world::fchmod(int fd, mode_t mode) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->chmod(mode) : -EBADF;
}

int world::chmod(char const* path, mode_t mode) noexcept { return files_.chmod(path, mode); }

// Nobody holds a lock across an await.
int world::flock(int fd, int) noexcept { return is_open(fd) ? 0 : -EBADF; }

int world::set_nonblocking(int fd, bool wanted) noexcept {
  open_file* const f = find(fd);
  if (f == nullptr) return -EBADF;
  return std::exchange(f->nonblocking, wanted) ? 1 : 0;
}

// recv and send are messages without a name.
ssize_t world::recv(int fd, void* to, std::size_t bytes, int flags) noexcept {
  iovec part{to, bytes};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return recvmsg(fd, message, flags);
}

ssize_t world::send(int fd, void const* from, std::size_t bytes, int flags) noexcept {
  iovec part{const_cast<void*>(from), bytes};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return sendmsg(fd, message, flags);
}

// The rest is the open file's.

ssize_t world::read(int fd, void* to, std::size_t bytes) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->read(to, bytes) : -EBADF;
}

ssize_t world::write(int fd, void const* from, std::size_t bytes) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->write(from, bytes) : -EBADF;
}

ssize_t world::pread(int fd, void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->pread(to, bytes, offset) : -EBADF;
}

ssize_t world::pread_cached(int fd, void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->pread_cached(to, bytes, offset) : -EBADF;
}

ssize_t world::pwrite(int fd, void const* from, std::size_t bytes, std::uint64_t offset) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->pwrite(from, bytes, offset) : -EBADF;
}

ssize_t world::append(int fd, void const* from, std::size_t bytes) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->append(from, bytes) : -EBADF;
}

int world::fsync(int fd) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->sync() : -EBADF;
}

int world::ftruncate(int fd, std::uint64_t bytes) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->truncate(bytes) : -EBADF;
}

ssize_t world::getdents(int fd, void* into, std::size_t bytes) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->getdents(into, bytes) : -EBADF;
}

int world::bind(int fd, sockaddr const* at, socklen_t size) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->bind(at, size) : -EBADF;
}

int world::listen(int fd, int backlog) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->listen(backlog) : -EBADF;
}

int world::connect(int fd, sockaddr const* to, socklen_t size) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->connect(to, size) : -EBADF;
}

int world::shutdown(int fd, int how) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->shutdown(how) : -EBADF;
}

ssize_t world::recvmsg(int fd, msghdr& message, int flags) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->recvmsg(message, flags) : -EBADF;
}

ssize_t world::sendmsg(int fd, msghdr const& message, int flags) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->sendmsg(message, flags) : -EBADF;
}

int world::setsockopt(int fd, int level, int name, void const* value, socklen_t size) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->setsockopt(level, name, value, size) : -EBADF;
}

int world::getsockopt(int fd, int level, int name, void* value, socklen_t& size) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->getsockopt(level, name, value, size) : -EBADF;
}

int world::getsockname(int fd, sockaddr* into, socklen_t& size) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->getsockname(into, size) : -EBADF;
}

int world::getpeername(int fd, sockaddr* into, socklen_t& size) noexcept {
  open_file* const f = find(fd);
  return f != nullptr ? f->getpeername(into, size) : -EBADF;
}

int world::open_signals(sigset_t const&) noexcept { return -ENOSYS; }
int world::change_held_signals(int, sigset_t const&, sigset_t*) noexcept { return -ENOSYS; }
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
