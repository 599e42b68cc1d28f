// The files of the simulated world: names, and what they stand for.
#pragma once

#include "open_file.hpp"

#include <map>
#include <memory>
#include <string>

namespace plait::io::sim {

class any_socket;

struct file_node {
  ino_t inode = 0;
  mode_t mode = 0;  // with the type
  std::string bytes;
  any_socket* bound = nullptr;  // while it is open: the socket whose file this is
};
using file_node_ptr = std::shared_ptr<file_node>;

class file_system {
 public:
  int open(world& in, char const* path, int flags, mode_t permissions, open_file_ptr& opened);
  // A file for a socket: 0 or -EADDRINUSE.
  int make_socket(std::string const& path, mode_t mode, any_socket& bound, file_node_ptr& made);
  // nullptr: nothing is there.
  file_node_ptr find(std::string const& path) const;

 private:
  file_node_ptr make(std::string const& path, mode_t mode);

  std::map<std::string, file_node_ptr> nodes_;
  ino_t last_inode_ = 0;
};

class regular_file final : public open_file {
 public:
  regular_file(world& in, file_node_ptr node, int flags) noexcept
      : open_file(in), node_(std::move(node)), flags_(flags) {}

  short ready() const noexcept override;
  int stat(struct stat& into) const noexcept override;
  ssize_t pread(void* to, std::size_t bytes, std::uint64_t offset) noexcept override;
  ssize_t pread_cached(void* to, std::size_t bytes, std::uint64_t offset) noexcept override;
  ssize_t pwrite(void const* from, std::size_t bytes, std::uint64_t offset) noexcept override;

 private:
  file_node_ptr node_;
  int flags_;
};

}  // namespace plait::io::sim
