#include <plait/io/file_status.hpp>

#include <plait/io/lowerings.hpp>

#include <cstring>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace plait::io {
namespace {

file_type type_of_mode(unsigned mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG: return file_type::regular;
    case S_IFDIR: return file_type::directory;
    case S_IFLNK: return file_type::symbolic_link;
    case S_IFIFO: return file_type::pipe;
    case S_IFSOCK: return file_type::socket;
    case S_IFCHR: return file_type::character_device;
    case S_IFBLK: return file_type::block_device;
    default: return file_type::unknown;
  }
}

file_time time_of(statx_timestamp const& t) noexcept {
  return file_time(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

}  // namespace

status_operation::status_operation(int fd, std::string path, int flags) noexcept
    : blocking_op(lowerings::read_status, fd, nullptr, 0, 0, flags), path_(std::move(path)) {}

bool status_operation::start(plait::detail::task_state& task) {
  static_assert(sizeof(struct statx) == sizeof raw_ && alignof(struct statx) <= 8);
  buffer = reinterpret_cast<std::byte*>(path_.data());
  offset = reinterpret_cast<std::uintptr_t>(raw_);
  return blocking_op::start(task);
}

file_status status_operation::status() const noexcept {
  struct statx raw;
  std::memcpy(&raw, raw_, sizeof raw);
  return {.type = type_of_mode(raw.stx_mode),
          .permissions = raw.stx_mode & 07777U,
          .size = raw.stx_size,
          .allocated_bytes = raw.stx_blocks * 512,
          .device = makedev(raw.stx_dev_major, raw.stx_dev_minor),
          .inode = raw.stx_ino,
          .links = raw.stx_nlink,
          .owner = raw.stx_uid,
          .group = raw.stx_gid,
          .read = time_of(raw.stx_atime),
          .modified = time_of(raw.stx_mtime),
          .changed = time_of(raw.stx_ctime)};
}

file_status status_operation::result() const {
  if (failed()) throw io_error(failure(), path_.empty() ? "" : "\"" + path_ + "\"");
  return status();
}

io::result<file_status> status_operation::expected() const {
  if (failed()) return tl::unexpected(failure());
  return status();
}

}  // namespace plait::io
