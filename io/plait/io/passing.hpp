// Descriptors passed from process to process over a UNIX socket.
#pragma once

#include <plait/io/buffer.hpp>
#include <plait/io/descriptor.hpp>
#include <plait/io/error.hpp>
#include <plait/io/message_op.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace plait::io {

struct received_descriptors {
  std::size_t bytes = 0;                // 0: the end of the stream
  std::vector<descriptor> descriptors;  // close-on-exec
  bool truncated = false;               // more came than this process may open; those are lost
};

// What has come and is not taken is closed with the operation.
class receive_descriptors_op : public message_op {
 public:
  receive_descriptors_op(int fd, mutable_buffer into);
  receive_descriptors_op(receive_descriptors_op&&) = default;
  ~receive_descriptors_op();

  bool start(plait::detail::task_state& task);
  received_descriptors result();
  io::result<received_descriptors> expected();
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 private:
  using op::failed;
  received_descriptors take();

  std::vector<std::byte> control_;
};

// At least one byte, and with it all the descriptors.
class send_descriptors_op : public message_op {
 public:
  send_descriptors_op(int fd, std::span<int const> fds, const_buffer with);

  bool start(plait::detail::task_state& task);
  std::size_t result() const;
  io::result<std::size_t> expected() const;
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 private:
  using op::failed;

  std::vector<std::byte> control_;
};

}  // namespace plait::io
