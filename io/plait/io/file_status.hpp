// What the file system knows of a file besides its content.
#pragma once

#include <plait/io/blocking_op.hpp>
#include <plait/io/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace plait::io {

enum class file_type : std::uint8_t {
  unknown,  // some file systems do not tell a directory's reader
  regular,
  directory,
  symbolic_link,
  pipe,
  socket,
  character_device,
  block_device,
};

using file_time = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

struct file_status {
  file_type type = file_type::unknown;
  unsigned permissions = 0;  // the last 12 bits of the mode
  std::uint64_t size = 0;    // bytes
  std::uint64_t allocated_bytes = 0;
  std::uint64_t device = 0;  // with the inode it tells whether two paths mean the same file
  std::uint64_t inode = 0;
  std::uint32_t links = 0;
  std::uint32_t owner = 0;
  std::uint32_t group = 0;
  file_time read;      // last; as far as the file system keeps it
  file_time modified;  // the content
  file_time changed;   // the content or what stands here
};

class status_operation : public blocking_op {
 public:
  status_operation(int fd, std::string path, int flags) noexcept;
  status_operation(status_operation&& other) noexcept = default;

  bool start(plait::detail::task_state& task);
  file_status result() const;
  io::result<file_status> expected() const;
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 private:
  using op::failed;
  file_status status() const noexcept;

  std::string path_;
  alignas(8) std::byte raw_[256];  // the kernel's struct
};

}  // namespace plait::io
