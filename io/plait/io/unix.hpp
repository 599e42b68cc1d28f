// UNIX sockets: streams, listeners and messages between the processes of one machine, and the passing
// of descriptors.
//
// Each belongs to the scheduler on whose thread it was made. One task may read a stream while another
// one writes it; a second reader gets errc::busy. Every await is a cancel point; a cancelled read,
// write, accept or receive has taken nothing. Destroying one closes it.
#pragma once

#include <plait/io/buffer.hpp>
#include <plait/io/byte_stream.hpp>
#include <plait/io/descriptor.hpp>
#include <plait/io/detail/accept_source_ptr.hpp>
#include <plait/io/detail/socket_file.hpp>
#include <plait/io/lowerings.hpp>
#include <plait/io/message_op.hpp>
#include <plait/io/passing.hpp>
#include <plait/io/unix_address.hpp>
#include <plait/task.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <sys/types.h>

namespace plait::io {

// Who made the peer's end (connected it, or listened), as the kernel knows it.
struct peer_credentials {
  pid_t process = 0;
  uid_t user = 0;
  gid_t group = 0;
};

// The stream's operations stand in byte_stream.hpp. A plain read drops descriptors that were passed
// with its bytes.
class unix_stream : public byte_stream<lowerings::recv_in_pieces> {
 public:
  unix_stream() noexcept = default;
  explicit unix_stream(descriptor fd) noexcept : byte_stream(std::move(fd)) {}

  // Throws io_error that names the address. While the listener's backlog is full it tries again, after
  // 1 ms at first and 100 ms at most: the kernel tells nobody when there is room.
  static task<unix_stream> connect(unix_address to);
  static std::pair<unix_stream, unix_stream> pair();

  // All of the bytes, of which there must be one, and with the first of them the descriptors, at most
  // 253; the receiver gets duplicates. Cancelled half-way it loses count of what it has sent.
  task<> send_descriptors(std::span<int const> fds, const_buffer with);

  // At least one byte, and the descriptors that came with it; 0 bytes at the end of the stream.
  receive_descriptors_op receive_descriptors(mutable_buffer into) {
    return receive_descriptors_op(fd(), into);
  }

  peer_credentials credentials() const;
};

struct unix_listen_options {
  int backlog = 4096;
  unsigned mode = 0600;  // of the socket's file: who may write it may connect
};

class unix_listener {
 public:
  // Listens at a path, and removes that on close. A socket's file that nobody listens at any more is
  // replaced; a live one, and any other file, is refused with an io_error that says so. Abstract
  // names are refused, too: whoever comes first has them.
  static unix_listener listen(unix_address at, unix_listen_options options = {});

  // The next connection, as tcp_listener::accept.
  task<unix_stream> accept();

  // How often accept had to wait because the process was out of descriptors or memory.
  std::uint64_t exhausted() const noexcept { return exhausted_; }

  unix_address local_address() const;
  int fd() const noexcept;
  void close() noexcept;  // whoever waits in accept gets errc::closed

 private:
  unix_listener(detail::accept_source_ptr source, detail::socket_file file) noexcept;

  detail::accept_source_ptr source_;
  detail::socket_file file_;
  std::uint64_t exhausted_ = 0;
};

// Messages that arrive whole and in order. None is lost: a full receiver makes the sender wait.
class unix_datagram {
 public:
  unix_datagram() noexcept = default;
  explicit unix_datagram(descriptor fd) noexcept : fd_(std::move(fd)) {}

  static unix_datagram open();  // without an address: it can send, and receive when it is connected
  // At a path, like unix_listener::listen.
  static unix_datagram bind(unix_address at, unsigned mode = 0600);
  static std::pair<unix_datagram, unix_datagram> pair();

  void connect(unix_address to);

  // The next message and its sender, who may have no address. 0 bytes are an empty message.
  receive_message_op<unix_address> receive_from(mutable_buffer into) noexcept {
    return receive_message_op<unix_address>(fd(), into);
  }
  receive_message_op<unix_address> receive(mutable_buffer into) noexcept { return receive_from(into); }

  // While the receiver is full it tries again, after 1 ms at first and 100 ms at most: the kernel tells
  // only who is connected when there is room.
  task<std::size_t> send_to(unix_address to, const_buffer from);
  send_message_op<unix_address> send(const_buffer from) noexcept {
    send_message_op<unix_address> o(fd(), from);
    o.lowering = &lowerings::send_msg_local;
    return o;
  }

  // Ends whoever waits (errc::closed), closes, and removes the path.
  task<> close();

  unix_address local_address() const;
  int fd() const noexcept { return fd_.get(); }
  bool is_open() const noexcept { return static_cast<bool>(fd_); }

 private:
  descriptor fd_;
  detail::socket_file file_;
};

}  // namespace plait::io
