// Operations that move one message: its header, address and place in memory are described in the
// operation itself, which points to them from its start on and is pinned by then.
#pragma once

#include <plait/io/buffer.hpp>
#include <plait/io/error.hpp>
#include <plait/io/lowerings.hpp>
#include <plait/io/op.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>

namespace plait::io {

class message_op : public op {
 public:
  message_op(op_lowering const& how, int fd, void const* data, std::size_t size, int flags = 0) noexcept
      : op(how, fd, nullptr, 0, 0, flags), part_{const_cast<void*>(data), size} {}

  bool start(plait::detail::task_state& task) {
    header_.msg_iov = &part_;
    header_.msg_iovlen = 1;
    buffer = reinterpret_cast<std::byte*>(&header_);
    return op::start(task);
  }

 protected:
  message_op(message_op&&) = default;
  ~message_op() = default;

  std::size_t size() const noexcept { return part_.iov_len; }

  msghdr header_{};

 private:
  iovec part_;
};

// A message that was received. What did not fit into the buffer is lost.
template <class Address>
struct datagram {
  std::size_t bytes = 0;       // in the buffer
  std::size_t sent_bytes = 0;  // that the sender had sent
  Address sender;

  bool truncated() const noexcept { return bytes < sent_bytes; }
};

template <class Address>
class receive_message_op : public message_op {
 public:
  // MSG_TRUNC: the answer is the message's whole size.
  receive_message_op(int fd, mutable_buffer into) noexcept
      : message_op(lowerings::recv_msg, fd, into.data(), into.size(), MSG_TRUNC) {}

  bool start(plait::detail::task_state& task) {
    header_.msg_name = &sender_;
    header_.msg_namelen = sizeof sender_;
    return message_op::start(task);
  }
  datagram<Address> result() const {
    if (failed()) throw_failure();
    return received();
  }
  io::result<datagram<Address>> expected() const {
    if (failed()) return tl::unexpected(failure());
    return received();
  }
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 private:
  using op::failed;
  datagram<Address> received() const {
    auto const sent = static_cast<std::size_t>(answer);
    auto const* const from = reinterpret_cast<sockaddr const*>(&sender_);
    return {std::min(sent, size()), sent, Address::from(from, header_.msg_namelen)};
  }

  sockaddr_storage sender_{};
};

// Whole or not at all. An empty message is one, too.
template <class Address>
class send_message_op : public message_op {
 public:
  send_message_op(int fd, const_buffer from) noexcept
      : message_op(lowerings::send_msg, fd, from.data(), from.size()) {}
  send_message_op(int fd, Address const& to, const_buffer from) noexcept : send_message_op(fd, from) {
    to_ = to;
    addressed_ = true;
  }

  bool start(plait::detail::task_state& task) {
    if (addressed_) {
      header_.msg_name = const_cast<sockaddr*>(to_.data());
      header_.msg_namelen = to_.size();
    }
    return message_op::start(task);
  }
  std::size_t result() const {
    if (failed()) throw io_error(failure(), about());
    return static_cast<std::size_t>(answer);
  }
  io::result<std::size_t> expected() const {
    if (failed()) return tl::unexpected(failure());
    return static_cast<std::size_t>(answer);
  }
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 private:
  using op::failed;
  std::string about() const {
    std::string text = addressed_ ? "to " + to_.to_string() : std::string();
    if (failure().code == std::errc::message_size) {
      text += " (" + std::to_string(size()) + " bytes are more than one message takes)";
    } else if (failure().code == std::errc::destination_address_required) {
      text += "(send_to names a receiver, connect sets one)";
    }
    return text;
  }

  Address to_;
  bool addressed_ = false;
};

}  // namespace plait::io
