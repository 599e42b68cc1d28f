// TCP: a listener that accepts and a stream that reads and writes.
//
// Both belong to the scheduler on whose thread they were made. One task may read a stream while
// another one writes it; a second reader gets errc::busy. Every await is a cancel point; a
// cancelled read_some, write_some or accept has taken nothing. Destroying a stream closes it.
#pragma once

#include <plait/clock.hpp>
#include <plait/io/address.hpp>
#include <plait/io/byte_stream.hpp>
#include <plait/io/descriptor.hpp>
#include <plait/io/detail/accept_source_ptr.hpp>
#include <plait/io/lowerings.hpp>
#include <plait/task.hpp>

#include <cstdint>
#include <utility>

namespace plait::io {

struct tcp_options {
  bool no_delay = true;           // or small messages wait 40 ms for the peer's acknowledgement
  bool keep_alive = false;
  int send_buffer_bytes = 0;      // 0: the kernel's choice
  int receive_buffer_bytes = 0;
};

// The stream's operations stand in byte_stream.hpp.
class tcp_stream : public byte_stream<lowerings::recv> {
 public:
  tcp_stream() noexcept = default;
  explicit tcp_stream(descriptor fd) noexcept : byte_stream(std::move(fd)) {}

  // Throws io_error with the errno of connect(2); timed out, refused, unreachable.
  static task<tcp_stream> connect(address to, tcp_options options = {});

  // The peer gets a reset instead of an end of stream, and nothing lingers.
  void abort() noexcept;

  void set_options(tcp_options const& options);
  address local_address() const;
  address remote_address() const;
};

struct listen_options {
  int backlog = 4096;
  bool reuse_port = false;  // several listeners share the port, the kernel balances
  bool v6_only = false;
  tcp_options accepted = {};
};

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
  explicit tcp_listener(detail::accept_source_ptr source, tcp_options accepted) noexcept;

  detail::accept_source_ptr source_;
  tcp_options accepted_;
  std::uint64_t exhausted_ = 0;
};

}  // namespace plait::io
