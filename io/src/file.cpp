#include <plait/io/file.hpp>

#include "io_driver.hpp"
#include "sys.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace plait::io {
namespace {

int open_flags(file_mode mode) noexcept {
  switch (mode) {
    case file_mode::read: return O_RDONLY | O_CLOEXEC;
    case file_mode::write: return O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    case file_mode::read_write: return O_RDWR | O_CREAT | O_CLOEXEC;
    case file_mode::create_new: return O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  }
  return O_RDONLY | O_CLOEXEC;
}

bool means_loss(int answer) noexcept {
  return answer == -EIO || answer == -ENOSPC || answer == -EDQUOT;
}

}  // namespace

// The path is read from `path_`, whose characters may move with the operation.
open_operation::open_operation(std::string path, int flags, unsigned permissions)
    : blocking_op(lowerings::open_at, -1, nullptr, 0, permissions, flags), path_(std::move(path)) {
  buffer = reinterpret_cast<std::byte*>(path_.data());
}

open_operation::open_operation(open_operation&& other) noexcept
    : blocking_op(std::move(other)), path_(std::move(other.path_)) {
  buffer = reinterpret_cast<std::byte*>(path_.data());
}

descriptor open_operation::opened() const {
  if (failed()) throw io_error(failure(), "\"" + path_ + "\"");
  return descriptor(answer);
}

file open_operation::result() { return file(opened()); }

io::result<file> open_operation::expected() {
  if (failed()) return tl::unexpected(failure());
  return file(descriptor(answer));
}

open_operation file::open(std::string path, file_mode mode, unsigned permissions) {
  return open_operation(std::move(path), open_flags(mode), permissions);
}

file_count_op file::read_at(std::uint64_t offset, mutable_buffer into) noexcept {
  return file_count_op(lowerings::read_at, fd(), into.data(), into.size(), offset);
}

file_count_op file::write_at(std::uint64_t offset, const_buffer from) noexcept {
  file_count_op o(lowerings::write_at, fd(), const_cast<std::byte*>(from.data()), from.size(), offset);
  o.all = true;
  return o;
}

file_count_op file::append(const_buffer from) noexcept {
  file_count_op o(lowerings::append, fd(), const_cast<std::byte*>(from.data()), from.size());
  o.all = true;
  return o;
}

status_operation file::read_status() const noexcept {
  return status_operation(fd(), "", AT_EMPTY_PATH);
}

bool sync_operation::start(plait::detail::task_state& task) {
  int const* const before = io_driver::current().sync_error(fd);
  answer = before != nullptr ? *before : -EBADF;
  if (answer != 0) {
    complete_inline(status::done);
    return false;
  }
  if (file_operation::start(task)) return true;
  remember(answer);
  return false;
}

void sync_operation::finish_request(int result, unsigned flags) noexcept {
  file_operation::finish_request(result, flags);
  remember(answer);  // `result` may have been EAGAIN, and the second try at once what counts
}

void sync_operation::remember(int result) const {
  if (means_loss(result)) *io_driver::current().sync_error(fd) = result;
}

void sync_operation::result() const {
  if (!failed()) return;
  throw io_error(failure(), means_loss(answer) ? "(what was written may be lost: write it anew, into "
                                                 "another file)"
                                               : "");
}

std::uint64_t file::size() const {
  struct stat about;
  if (int const answer = sys_here().fstat(fd(), about); answer < 0) throw_errno(answer, "fstat");
  return static_cast<std::uint64_t>(about.st_size);
}

}  // namespace plait::io
