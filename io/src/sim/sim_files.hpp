// What stands behind the descriptor of a file or a directory of the simulated world.
#pragma once

#include "file_system.hpp"
#include "open_file.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace plait::io::sim {

class node_file final : public open_file {
 public:
  node_file(world& in, file_node_ptr node, int flags) noexcept;

  short ready() const noexcept override;
  int stat(struct stat& into) const noexcept override;
  ssize_t pread(void* to, std::size_t bytes, std::uint64_t offset) noexcept override;
  ssize_t pread_cached(void* to, std::size_t bytes, std::uint64_t offset) noexcept override;
  ssize_t pwrite(void const* from, std::size_t bytes, std::uint64_t offset) noexcept override;
  ssize_t append(void const* from, std::size_t bytes) noexcept override;
  int sync() noexcept override;
  int truncate(std::uint64_t bytes) noexcept override;
  ssize_t getdents(void* into, std::size_t bytes) noexcept override;

 private:
  // Where an entry comes in the listing. Each listing has an order of its own, which is no order.
  using rank = std::pair<std::uint64_t, std::string>;

  bool alive() const noexcept;
  bool may_write() const noexcept;
  void last_close() noexcept override;

  file_node_ptr node_;
  int flags_;
  std::uint64_t boot_;          // of the machine: a file does not outlive it
  std::uint64_t failed_syncs_;  // that this descriptor knows of
  std::uint64_t order_;
  int dots_told_ = 0;
  rank told_;  // the last one
};

}  // namespace plait::io::sim
