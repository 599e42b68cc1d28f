// Pipes of the simulated world. What is written is there to be read at once. A write of up to
// PIPE_BUF bytes is done whole or not at all.
#pragma once

#include "open_file.hpp"

#include <memory>
#include <string>
#include <utility>

namespace plait::io::sim {

class pipe_end : public open_file {
 public:
  // The end that is read, and the one that is written.
  static std::pair<open_file_ptr, open_file_ptr> make_pair(world& in);

  int stat(struct stat& into) const noexcept override;

  struct content {
    std::string bytes;
    std::size_t capacity;
    std::weak_ptr<pipe_end> reader;
    std::weak_ptr<pipe_end> writer;
    bool has_reader = true;
    bool has_writer = true;
  };

  pipe_end(world& in, std::shared_ptr<content> shared) noexcept
      : open_file(in), shared_(std::move(shared)) {}

 protected:
  void tell(std::weak_ptr<pipe_end> const& other) const;

  std::shared_ptr<content> shared_;
};

}  // namespace plait::io::sim
