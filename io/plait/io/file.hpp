// Regular files by position. On io_uring the kernel reads and writes asynchronously; under epoll,
// which cannot tell a file's readiness, what is not in the page cache goes to a few threads.
// Operations on one file may overlap; a buffer belongs to its operation until the await returns.
#pragma once

#include <plait/io/blocking_op.hpp>
#include <plait/io/buffer.hpp>
#include <plait/io/descriptor.hpp>
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

 private:
  using op::failed;
  std::string path_;
};

// Holds the descriptor until it begins: one that is never awaited closes it, too.
class file_close_operation : public blocking_op {
 public:
  explicit file_close_operation(descriptor owned) noexcept
      : blocking_op(lowerings::close, -1, nullptr, 0), owned_(std::move(owned)) {}
  static constexpr bool ignores_cancel = true;  // the descriptor is gone either way

  bool start(plait::detail::task_state& task) {
    fd = owned_.release();
    if (fd >= 0) return blocking_op::start(task);
    complete_inline(status::done);
    return false;
  }
  void result() const {
    if (failed()) throw_failure();
  }
  io::result<void> expected() const {
    if (failed()) return tl::unexpected(failure());
    return {};
  }
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 private:
  using op::failed;
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
