#include "sim_files.hpp"

#include "sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <string_view>
#include <vector>

namespace plait::io::sim {
namespace {

std::uint64_t hash_of(std::string_view name, std::uint64_t order) noexcept {
  trace_hash h;
  h.add(order);
  for (char const c : name) h.add(static_cast<unsigned char>(c));
  return h.value();
}

// As getdents64(2) packs them.
class packer {
 public:
  packer(void* into, std::size_t bytes) noexcept : at_(static_cast<std::byte*>(into)), room_(bytes) {}

  bool add(std::string_view name, file_node const& node) noexcept {
    std::size_t const size = (offsetof(dirent64, d_name) + name.size() + 1 + 7) / 8 * 8;
    if (size > room_) return false;
    dirent64 head{};
    head.d_ino = node.inode;
    head.d_reclen = static_cast<unsigned short>(size);
    head.d_type = static_cast<unsigned char>(IFTODT(node.mode));
    std::memset(at_, 0, size);
    std::memcpy(at_, &head, offsetof(dirent64, d_name));
    std::memcpy(at_ + offsetof(dirent64, d_name), name.data(), name.size());
    at_ += size;
    room_ -= size;
    used_ += size;
    return true;
  }
  std::size_t used() const noexcept { return used_; }

 private:
  std::byte* at_;
  std::size_t room_;
  std::size_t used_ = 0;
};

}  // namespace

node_file::node_file(world& in, file_node_ptr node, int flags) noexcept
    : open_file(in), node_(std::move(node)), flags_(flags), boot_(in.files().boots()),
      failed_syncs_(node_->failed_syncs), order_(in.random().next()) {}

bool node_file::alive() const noexcept {
  return world_.files().has_power() && boot_ == world_.files().boots();
}

bool node_file::may_write() const noexcept { return (flags_ & O_ACCMODE) != O_RDONLY; }

void node_file::last_close() noexcept {
  if (boot_ == world_.files().boots()) world_.files().close(*node_);
}

short node_file::ready() const noexcept { return POLLIN | POLLOUT; }

int node_file::stat(struct stat& into) const noexcept {
  if (!alive()) return -EIO;
  file_system::describe(*node_, into);
  return 0;
}

ssize_t node_file::pread(void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  if ((flags_ & O_ACCMODE) == O_WRONLY) return -EBADF;
  if (node_->is_directory()) return -EISDIR;
  if (!alive() || world_.random().chance(world_.options().read_error)) return -EIO;
  std::string const& all = node_->content.seen();
  if (offset >= all.size() || bytes == 0) return 0;
  std::size_t const n = world_.some(std::min(bytes, all.size() - static_cast<std::size_t>(offset)));
  std::memcpy(to, all.data() + offset, n);
  return static_cast<ssize_t>(n);
}

ssize_t node_file::pread_cached(void* to, std::size_t bytes, std::uint64_t offset) noexcept {
  return world_.random().chance(0.5) ? pread(to, bytes, offset) : -EAGAIN;
}

ssize_t node_file::pwrite(void const* from, std::size_t bytes, std::uint64_t offset) noexcept {
  if (!may_write()) return -EBADF;
  if (!alive()) return -EIO;
  return world_.files().write(*node_, {static_cast<char const*>(from), world_.some(bytes)}, offset);
}

ssize_t node_file::append(void const* from, std::size_t bytes) noexcept {
  return pwrite(from, bytes, node_->content.seen().size());
}

// A loss is told to each descriptor that was open by then, once.
int node_file::sync() noexcept {
  if (!alive()) return -EIO;
  int const answer = world_.files().sync(*node_);
  bool const lost = std::exchange(failed_syncs_, node_->failed_syncs) != failed_syncs_;
  return lost ? -EIO : answer;
}

int node_file::truncate(std::uint64_t bytes) noexcept {
  if (!may_write() || bytes > static_cast<std::uint64_t>(PTRDIFF_MAX)) return -EINVAL;
  return alive() ? world_.files().resize(*node_, bytes) : -EIO;
}

ssize_t node_file::getdents(void* into, std::size_t bytes) noexcept {
  if (!node_->is_directory()) return -ENOTDIR;
  if (!alive()) return -EIO;
  packer packed(into, bytes);
  while (dots_told_ < 2 && packed.add(dots_told_ == 0 ? "." : "..", *node_)) ++dots_told_;
  std::vector<std::pair<rank, file_node_ptr>> left;
  for (auto const& [name, node] : node_->entries) {
    rank const r{hash_of(name, order_), name};
    if (r > told_) left.emplace_back(r, node);
  }
  std::sort(left.begin(), left.end(),
            [](auto const& a, auto const& b) { return a.first < b.first; });
  left.resize(world_.some(left.size()));
  for (auto const& [r, node] : left) {
    if (!packed.add(r.second, *node)) break;
    told_ = r;
  }
  return static_cast<ssize_t>(packed.used());
}

}  // namespace plait::io::sim
