// The file that a UNIX socket is bound to. Removed with this, unless it has become another one.
#pragma once

#include <plait/io/unix_address.hpp>

#include <string>
#include <utility>

#include <sys/types.h>

namespace plait::io::detail {

class socket_file {
 public:
  socket_file() noexcept = default;
  // Binds, and for streams listens. Replaces the file of a socket that nobody holds any more. Two
  // programs that do this at once do not take each other's for stale: it is done with the folder
  // locked. Throws io_error.
  socket_file(int fd, unix_address const& at, unsigned mode, int type, int backlog);
  socket_file(socket_file&& other) noexcept
      : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}
  socket_file& operator=(socket_file&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(device_, other.device_);
    std::swap(inode_, other.inode_);
    return *this;
  }
  ~socket_file() { remove(); }

  void remove() noexcept;

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace plait::io::detail
