// Regular files by position. On io_uring the kernel reads and writes asynchronously; under epoll,
// which cannot tell a file's readiness, what is not in the page cache goes to a few threads.
// Operations on one file may overlap; a buffer belongs to its operation until the await returns.
//
// What is written is in the kernel's memory. Whether it outlives a crash of the machine, sync says;
// whether the file's name does, directory::sync (io/directory.hpp).
#pragma once

#include <plait/io/blocking_op.hpp>
#include <plait/io/buffer.hpp>
#include <plait/io/descriptor.hpp>
#include <plait/io/file_status.hpp>
#include <plait/io/lowerings.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace plait::io {

enum class file_mode : std::uint8_t {
  read,        // must exist
  write,       // made or emptied
  read_write,  // made where it is missing, kept where it is not
  create_new,  // read and write; must not exist
};

// A positioned read or write that gives its count.
class file_count_op : public blocking_op {
 public:
  using blocking_op::blocking_op;
  std::size_t result() const {
    if (failed()) throw_failure();
    return count();
  }
  io::result<std::size_t> expected() const {
    if (failed()) return tl::unexpected(failure());
    return count();
  }
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 private:
  using op::failed;
  std::size_t count() const noexcept { return all ? done : static_cast<std::size_t>(answer); }
};

class file;

class open_operation : public blocking_op {
 public:
  open_operation(std::string path, int flags, unsigned permissions);
  open_operation(open_operation&& other) noexcept;

  file result();
  io::result<file> expected();
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 protected:
  using op::failed;
  descriptor opened() const;  // or throws

 private:
  std::string path_;
};

// Nothing but success.
class file_operation : public blocking_op {
 public:
  using blocking_op::blocking_op;
  void result() const {
    if (failed()) throw_failure();
  }
  io::result<void> expected() const {
    if (failed()) return tl::unexpected(failure());
    return {};
  }
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 protected:
  using op::failed;
};

// One that failed to write is final: Linux reports a loss once and takes the pages for clean from then
// on, so that the next fsync(2) would report a success that is none.
class sync_operation : public file_operation {
 public:
  sync_operation(op_lowering const& how, int fd) noexcept : file_operation(how, fd, nullptr, 0) {}
  sync_operation(sync_operation&& other) noexcept = default;

  bool start(plait::detail::task_state& task);
  void finish_request(int result, unsigned flags) noexcept override;
  void result() const;

 private:
  void remember(int result) const;
};

// Holds the descriptor until it begins: one that is never awaited closes it, too.
class file_close_operation : public file_operation {
 public:
  explicit file_close_operation(descriptor owned) noexcept
      : file_operation(lowerings::close, -1, nullptr, 0), owned_(std::move(owned)) {}
  static constexpr bool ignores_cancel = true;  // the descriptor is nobody's any more: it must be closed

  bool start(plait::detail::task_state& task) {
    fd = owned_.release();
    if (fd >= 0) return file_operation::start(task);
    complete_inline(status::done);
    return false;
  }

 private:
  void cancel() noexcept override {}

  descriptor owned_;
};

class file {
 public:
  file() noexcept = default;
  explicit file(descriptor fd) noexcept : fd_(std::move(fd)) {}

  // Throws io_error with open(2)'s errno and the path. A cancelled open leaves no descriptor.
  static open_operation open(std::string path, file_mode mode = file_mode::read,
                             unsigned permissions = 0644);

  // What is there, up to the buffer: 0 at and behind the end. May be short before it.
  file_count_op read_at(std::uint64_t offset, mutable_buffer into) noexcept;

  // All of it, or io_error that says how much was written.
  file_count_op write_at(std::uint64_t offset, const_buffer from) noexcept;

  // The same at the end, wherever that is by then: appends of several tasks and processes do not
  // overwrite each other. One that the kernel does in parts may have others between its parts.
  file_count_op append(const_buffer from) noexcept;

  // Returns when all that was written before is on the device: content, size and times; sync_data
  // leaves out times. A failure (EIO, ENOSPC, EDQUOT) means that some of it is lost, and every later
  // sync through this object fails likewise: write the content anew, into another file. Cancelling
  // it says nothing about what has reached the device.
  sync_operation sync() noexcept { return sync_operation(lowerings::sync, fd()); }
  sync_operation sync_data() noexcept { return sync_operation(lowerings::sync_data, fd()); }

  // Cuts it off, or lengthens it with zeros. One that is cancelled was not done, or it was done and
  // returns.
  file_operation truncate(std::uint64_t bytes) noexcept {
    return file_operation(lowerings::truncate, fd(), nullptr, 0, bytes);
  }

  status_operation read_status() const noexcept;
  std::uint64_t size() const;

  // Reports what the kernel could not write back; a file that is closed already stays so. The
  // destructor closes, too, but tells nobody.
  file_close_operation close() noexcept { return file_close_operation(std::move(fd_)); }

  int fd() const noexcept { return fd_.get(); }
  bool is_open() const noexcept { return static_cast<bool>(fd_); }

 private:
  descriptor fd_;
};

}  // namespace plait::io
