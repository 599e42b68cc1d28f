#include "open_file.hpp"

#include "sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace plait::io::sim {

open_file::open_file(world& in) noexcept : world_(in) { ++world_.open_files_; }
open_file::~open_file() { --world_.open_files_; }

int open_file::chmod(mode_t) noexcept { return 0; }
ssize_t open_file::read(void*, std::size_t) noexcept { return -EINVAL; }
ssize_t open_file::write(void const*, std::size_t) noexcept { return -EINVAL; }
ssize_t open_file::pread(void*, std::size_t, std::uint64_t) noexcept { return -ESPIPE; }
ssize_t open_file::pwrite(void const*, std::size_t, std::uint64_t) noexcept { return -ESPIPE; }
ssize_t open_file::pread_cached(void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  return pread(to, bytes, offset);
}

ssize_t open_file::append(void const*, std::size_t) noexcept { return -ESPIPE; }
int open_file::sync() noexcept { return -EINVAL; }
int open_file::truncate(std::uint64_t) noexcept { return -EINVAL; }
ssize_t open_file::getdents(void*, std::size_t) noexcept { return -ENOTDIR; }

int open_file::bind(sockaddr const*, socklen_t) noexcept { return -ENOTSOCK; }
int open_file::listen(int) noexcept { return -ENOTSOCK; }
int open_file::accept(file_use&) noexcept { return -ENOTSOCK; }
int open_file::connect(sockaddr const*, socklen_t) noexcept { return -ENOTSOCK; }
int open_file::shutdown(int) noexcept { return -ENOTSOCK; }
ssize_t open_file::recvmsg(msghdr&, int) noexcept { return -ENOTSOCK; }
ssize_t open_file::sendmsg(msghdr const&, int) noexcept { return -ENOTSOCK; }
int open_file::setsockopt(int, int, void const*, socklen_t) noexcept { return -ENOTSOCK; }
int open_file::getsockopt(int, int, void*, socklen_t&) noexcept { return -ENOTSOCK; }
int open_file::getsockname(sockaddr*, socklen_t&) noexcept { return -ENOTSOCK; }
int open_file::getpeername(sockaddr*, socklen_t&) noexcept { return -ENOTSOCK; }

void open_file::changed() const {
  if (!world_.on_change) return;
  for (int const fd : std::vector<int>(descriptors_)) world_.on_change(fd);
}

std::size_t bytes_of(msghdr const& message) noexcept {
  std::size_t all = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) all += message.msg_iov[i].iov_len;
  return all;
}

std::string gather(msghdr const& message, std::size_t most) {
  std::string all;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
    iovec const& part = message.msg_iov[i];
    all.append(static_cast<char const*>(part.iov_base), std::min(part.iov_len, most - all.size()));
  }
  return all;
}

void scatter(msghdr const& message, std::string_view bytes) noexcept {
  for (std::size_t i = 0; i < message.msg_iovlen && !bytes.empty(); ++i) {
    std::size_t const n = std::min(message.msg_iov[i].iov_len, bytes.size());
    std::memcpy(message.msg_iov[i].iov_base, bytes.data(), n);
    bytes.remove_prefix(n);
  }
}

}  // namespace plait::io::sim
