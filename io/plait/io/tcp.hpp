// TCP: a listener that accepts and a stream that reads and writes.
//
// Both belong to the scheduler on whose thread they were made. One task may read a stream while
// another one writes it; a second reader gets errc::busy. Every await is a cancel point; a
// cancelled read_some, write_some or accept has taken nothing. Destroying a stream closes it.
#pragma once

#include <plait/clock.hpp>
#include <plait/io/address.hpp>
#include <plait/io/buffer.hpp>
#include <plait/io/descriptor.hpp>
#include <plait/io/lowerings.hpp>
#include <plait/io/op.hpp>
#include <plait/task.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace plait::io {

struct tcp_options {
  bool no_delay = true;           // or small messages wait 40 ms for the peer's acknowledgement
  bool keep_alive = false;
  int send_buffer_bytes = 0;      // 0: the kernel's choice
  int receive_buffer_bytes = 0;
};

enum class shutdown_direction : std::uint8_t { read, write, both };

class tcp_stream {
 public:
  tcp_stream() noexcept = default;
  explicit tcp_stream(descriptor fd) noexcept : fd_(std::move(fd)) {}

  // Throws io_error with the errno of connect(2); timed out, refused, unreachable.
  static task<tcp_stream> connect(address to, tcp_options options = {});

  // At least one byte, at most the buffer; 0 at the end of the stream, or for an empty buffer.
  count_op read_some(mutable_buffer into) noexcept;

  // All of the buffer, or io_error(errc::end_of_file) whose `transferred` tells how much came.
  // Cancelled half-way it loses count of what it has read: the stream is then in mid-message.
  count_op read_exactly(mutable_buffer into) noexcept;

  // At least one byte of the buffer.
  count_op write_some(const_buffer from) noexcept;

  // All of it. An error says how much was written; cancelled half-way it loses that count.
  count_op write_all(const_buffer from) noexcept;

  void shutdown(shutdown_direction direction);

  // Ends whoever waits for the stream (errc::closed), then closes it.
  task<> close() { return fd_.close(); }
  // The peer gets a reset instead of an end of stream, and nothing lingers.
  void abort() noexcept;

  void set_options(tcp_options const& options);
  address local_address() const;
  address remote_address() const;

  int fd() const noexcept { return fd_.get(); }
  bool is_open() const noexcept { return static_cast<bool>(fd_); }

 private:
  descriptor fd_;
};

struct listen_options {
  int backlog = 4096;
  bool reuse_port = false;  // several listeners share the port, the kernel balances
  bool v6_only = false;
  tcp_options accepted = {};
};

namespace detail {
class accept_source;
struct accept_source_deleter {
  void operator()(accept_source* s) const noexcept;
};
}  // namespace detail

class tcp_listener {
 public:
  // Binds and listens at once. Port 0 lets the kernel choose; local_address() tells. Throws io_error
  // that names the address and what to do.
  static tcp_listener listen(address at, listen_options options = {});

  // The next connection. Errors of connections that died before they were accepted are skipped.
  // When descriptors or memory run out it waits, 5 ms and then longer, up to 100 ms, and tries
  // again: connections stay in the backlog meanwhile. A cancelled accept loses no connection.
  task<tcp_stream> accept();

  // How often accept had to wait because the process was out of descriptors or memory.
  std::uint64_t exhausted() const noexcept { return exhausted_; }

  address local_address() const;
  int fd() const noexcept;
  void close() noexcept;  // whoever waits in accept gets errc::closed

 private:
  using source_ptr = std::unique_ptr<detail::accept_source, detail::accept_source_deleter>;
  explicit tcp_listener(source_ptr source, tcp_options accepted) noexcept;

  source_ptr source_;
  tcp_options accepted_;
  std::uint64_t exhausted_ = 0;
};

}  // namespace plait::io
