#include "sim_files.hpp"

#include "sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>

namespace plait::io::sim {

file_node_ptr file_system::find(std::string const& path) const {
  auto const at = nodes_.find(path);
  return at == nodes_.end() ? nullptr : at->second;
}

file_node_ptr file_system::make(std::string const& path, mode_t mode) {
  auto made = std::make_shared<file_node>();
  made->inode = ++last_inode_;
  made->mode = mode;
  nodes_[path] = made;
  return made;
}

int file_system::open(world& in, char const* path, int flags, mode_t permissions,
                      open_file_ptr& opened) {
  file_node_ptr node = find(path);
  if (node != nullptr && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return -EEXIST;
  if (node != nullptr && S_ISSOCK(node->mode)) return -ENXIO;
  if (node == nullptr) {
    if ((flags & O_CREAT) == 0) return -ENOENT;
    node = make(path, S_IFREG | permissions);
  }
  if ((flags & O_TRUNC) != 0) node->bytes.clear();
  opened = std::make_shared<regular_file>(in, std::move(node), flags);
  return 0;
}

int file_system::make_socket(std::string const& path, mode_t mode, any_socket& bound,
                             file_node_ptr& made) {
  if (find(path) != nullptr) return -EADDRINUSE;
  made = make(path, S_IFSOCK | mode);
  made->bound = &bound;
  return 0;
}

short regular_file::ready() const noexcept { return POLLIN | POLLOUT; }

int regular_file::stat(struct stat& into) const noexcept {
  into.st_ino = node_->inode;
  into.st_mode = node_->mode;
  into.st_size = static_cast<off_t>(node_->bytes.size());
  return 0;
}

ssize_t regular_file::pread(void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  if ((flags_ & O_ACCMODE) == O_WRONLY) return -EBADF;
  std::string const& all = node_->bytes;
  if (offset >= all.size() || bytes == 0) return 0;
  std::size_t const n = world_.some(std::min(bytes, all.size() - static_cast<std::size_t>(offset)));
  std::memcpy(to, all.data() + offset, n);
  return static_cast<ssize_t>(n);
}

ssize_t regular_file::pread_cached(void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  return world_.random().chance(0.5) ? pread(to, bytes, offset) : -EAGAIN;
}

ssize_t regular_file::pwrite(void const* from, std::size_t bytes, std::uint64_t offset) noexcept {
  if ((flags_ & O_ACCMODE) == O_RDONLY) return -EBADF;
  std::string& all = node_->bytes;
  std::size_t const n = world_.some(bytes);
  if (all.size() < offset + n) all.resize(static_cast<std::size_t>(offset) + n);
  std::memcpy(all.data() + offset, from, n);
  return static_cast<ssize_t>(n);
}

}  // namespace plait::io::sim
