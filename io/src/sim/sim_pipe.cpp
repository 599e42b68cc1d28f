#include "sim_pipe.hpp"

#include "sim_world.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <poll.h>

namespace plait::io::sim {
namespace {

// A kernel gives 16 pages, and fewer to who has many pipes.
constexpr std::size_t page_bytes = PIPE_BUF;
constexpr std::size_t pages_max = 16;

class reading_end final : public pipe_end {
 public:
  using pipe_end::pipe_end;

  short ready() const noexcept override {
    short const data = shared_->bytes.empty() ? 0 : POLLIN;
    return shared_->has_writer ? data : data | POLLHUP;
  }

  ssize_t read(void* to, std::size_t bytes) noexcept override {
    if (bytes == 0) return 0;
    if (shared_->bytes.empty()) return shared_->has_writer ? -EAGAIN : 0;
    std::size_t const n = world_.some(std::min(bytes, shared_->bytes.size()));
    std::memcpy(to, shared_->bytes.data(), n);
    shared_->bytes.erase(0, n);
    tell(shared_->writer);
    return static_cast<ssize_t>(n);
  }

  ssize_t write(void const*, std::size_t) noexcept override { return -EBADF; }

 private:
  void last_close() noexcept override {
    shared_->has_reader = false;
    tell(shared_->writer);
  }
};

class writing_end final : public pipe_end {
 public:
  using pipe_end::pipe_end;

  short ready() const noexcept override {
    short const space = room() >= page_bytes ? POLLOUT : 0;
    return shared_->has_reader ? space : space | POLLERR;
  }

  ssize_t read(void*, std::size_t) noexcept override { return -EBADF; }

  ssize_t write(void const* from, std::size_t bytes) noexcept override {
    if (bytes == 0) return 0;
    if (!shared_->has_reader) return -EPIPE;
    bool const whole = bytes <= PIPE_BUF;
    if (room() == 0 || (whole && room() < bytes)) return -EAGAIN;
    std::size_t const n = whole ? bytes : world_.some(std::min(bytes, room()));
    shared_->bytes.append(static_cast<char const*>(from), n);
    tell(shared_->reader);
    return static_cast<ssize_t>(n);
  }

 private:
  std::size_t room() const noexcept { return shared_->capacity - shared_->bytes.size(); }
  void last_close() noexcept override {
    shared_->has_writer = false;
    tell(shared_->reader);
  }
};

}  // namespace

std::pair<open_file_ptr, open_file_ptr> pipe_end::make_pair(world& in) {
  auto const shared = std::make_shared<content>();
  shared->capacity = page_bytes * (1 + static_cast<std::size_t>(in.random().below(pages_max)));
  auto const reader = std::make_shared<reading_end>(in, shared);
  auto const writer = std::make_shared<writing_end>(in, shared);
  shared->reader = reader;
  shared->writer = writer;
  return {reader, writer};
}

int pipe_end::stat(struct stat& into) const noexcept {
  into.st_mode = S_IFIFO | 0600;
  return 0;
}

void pipe_end::tell(std::weak_ptr<pipe_end> const& other) const {
  if (auto const there = other.lock()) there->changed();
}

}  // namespace plait::io::sim
