// Pipes: the two ends of one of plait's own, and any descriptor that is read or written without a
// position, as a child's standard output.
//
// Each end belongs to the scheduler on whose thread it was made. One task may read an end, or write
// it; a second one gets errc::busy. Every await is a cancel point; a cancelled read_some or
// write_some has moved nothing. Destroying an end closes it.
#pragma once

#include <plait/io/buffer.hpp>
#include <plait/io/descriptor.hpp>
#include <plait/io/lowerings.hpp>
#include <plait/io/op.hpp>
#include <plait/task.hpp>

#include <utility>

namespace plait::io {

class pipe_reader {
 public:
  pipe_reader() noexcept = default;
  // Sets or clears O_NONBLOCK, which everybody sees who shares the open file. Throws io_error.
  explicit pipe_reader(descriptor fd);

  // At least one byte, at most the buffer; 0 when every writer has closed, or for an empty buffer.
  count_op read_some(mutable_buffer into) noexcept;

  // All of the buffer, or io_error(errc::end_of_file) whose `transferred` tells how much came.
  // Cancelled half-way it loses count of what it has read.
  count_op read_exactly(mutable_buffer into) noexcept;

  // Ends whoever waits (errc::closed), then closes.
  task<> close() { return fd_.close(); }

  int fd() const noexcept { return fd_.get(); }
  bool is_open() const noexcept { return static_cast<bool>(fd_); }

 private:
  descriptor fd_;
};

class pipe_writer {
 public:
  pipe_writer() noexcept = default;
  // Sets O_NONBLOCK, which everybody sees who shares the open file. Throws io_error.
  explicit pipe_writer(descriptor fd);

  // At least one byte of the buffer. When every reader has closed that is io_error (broken_pipe),
  // and never a signal.
  count_op write_some(const_buffer from) noexcept;

  // All of it. An error says how much was written; cancelled half-way it loses that count.
  count_op write_all(const_buffer from) noexcept;

  // Ends whoever waits (errc::closed), then closes: the reader sees the end.
  task<> close() { return fd_.close(); }

  int fd() const noexcept { return fd_.get(); }
  bool is_open() const noexcept { return static_cast<bool>(fd_); }

 private:
  descriptor fd_;
};

struct pipe_pair {
  pipe_reader reader;
  pipe_writer writer;

  // Close-on-exec, both ends. Throws io_error.
  static pipe_pair open();
};

}  // namespace plait::io
