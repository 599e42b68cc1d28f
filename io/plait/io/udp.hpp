// UDP: messages that arrive whole, or twice, or never, in any order.
//
// A socket belongs to the scheduler on whose thread it was made. One task may receive while another
// one sends; a second receiver, or sender, gets errc::busy. Every await is a cancel point; a
// cancelled receive has taken no message, a cancelled send has sent none. Destroying a socket closes
// it.
#pragma once

#include <plait/io/address.hpp>
#include <plait/io/buffer.hpp>
#include <plait/io/descriptor.hpp>
#include <plait/io/message_op.hpp>
#include <plait/task.hpp>

#include <utility>

namespace plait::io {

struct udp_options {
  bool reuse_port = false;       // several sockets share the port, the kernel balances
  bool broadcast = false;        // sending to a broadcast address is allowed
  bool v6_only = false;
  int send_buffer_bytes = 0;     // 0: the kernel's choice
  int receive_buffer_bytes = 0;  // what does not fit is dropped
};

class udp_socket {
 public:
  udp_socket() noexcept = default;
  explicit udp_socket(descriptor fd) noexcept : fd_(std::move(fd)) {}

  // Port 0 lets the kernel choose; local_address() tells. Throws io_error that names the address
  // and what to do.
  static udp_socket bind(address at, udp_options options = {});

  // From now on `send` goes there, only what comes from there is received, and an answer that
  // nobody listens there is an error (connection_refused) of the next operation. Sends nothing.
  void connect(address to);

  // The next message and its sender. 0 bytes are an empty message. What the buffer is too short for
  // is lost, and `truncated()` says so.
  receive_message_op<address> receive_from(mutable_buffer into) noexcept {
    return receive_message_op<address>(fd(), into);
  }

  // One message: all of it, or io_error.
  send_message_op<address> send_to(address const& to, const_buffer from) noexcept {
    return send_message_op<address>(fd(), to, from);
  }

  // The same where the socket is connected.
  receive_message_op<address> receive(mutable_buffer into) noexcept { return receive_from(into); }
  send_message_op<address> send(const_buffer from) noexcept {
    return send_message_op<address>(fd(), from);
  }

  // Ends whoever waits for the socket (errc::closed), then closes it.
  task<> close() { return fd_.close(); }

  address local_address() const;
  address remote_address() const;  // where it is connected; else io_error

  int fd() const noexcept { return fd_.get(); }
  bool is_open() const noexcept { return static_cast<bool>(fd_); }

 private:
  descriptor fd_;
};

}  // namespace plait::io
