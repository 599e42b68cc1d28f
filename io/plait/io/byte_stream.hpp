// What every connected stream socket can do, TCP's and UNIX's alike: see tcp.hpp and unix.hpp.
#pragma once

#include <plait/io/buffer.hpp>
#include <plait/io/descriptor.hpp>
#include <plait/io/lowerings.hpp>
#include <plait/io/op.hpp>
#include <plait/task.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace plait::io {

enum class shutdown_direction : std::uint8_t { read, write, both };

template <op_lowering const& receive>
class byte_stream {
 public:
  // At least one byte, at most the buffer; 0 at the end of the stream, or for an empty buffer.
  count_op read_some(mutable_buffer into) noexcept {
    return count_op(receive, fd(), into.data(), into.size());
  }

  // All of the buffer, or io_error(errc::end_of_file) whose `transferred` tells how much came.
  // Cancelled half-way it loses count of what it has read: the stream is then in mid-message.
  count_op read_exactly(mutable_buffer into) noexcept { return whole(read_some(into)); }

  // At least one byte of the buffer.
  count_op write_some(const_buffer from) noexcept {
    return count_op(lowerings::send, fd(), const_cast<std::byte*>(from.data()), from.size());
  }

  // All of it. An error says how much was written; cancelled half-way it loses that count.
  count_op write_all(const_buffer from) noexcept { return whole(write_some(from)); }

  void shutdown(shutdown_direction direction);

  // Ends whoever waits for the stream (errc::closed), then closes it.
  task<> close() { return fd_.close(); }

  int fd() const noexcept { return fd_.get(); }
  bool is_open() const noexcept { return static_cast<bool>(fd_); }

 protected:
  byte_stream() noexcept = default;
  explicit byte_stream(descriptor fd) noexcept : fd_(std::move(fd)) {}
  byte_stream(byte_stream&&) noexcept = default;
  byte_stream& operator=(byte_stream&&) noexcept = default;
  ~byte_stream() = default;

  descriptor fd_;

 private:
  static count_op whole(count_op o) noexcept {
    o.all = true;
    return o;
  }
};

extern template class byte_stream<lowerings::recv>;
extern template class byte_stream<lowerings::recv_in_pieces>;

}  // namespace plait::io
