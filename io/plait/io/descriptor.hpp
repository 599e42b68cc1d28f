// Owns a file descriptor of plait's. Destroying it closes it at once, which is right when nobody
// waits for it; `close` first ends whoever does (errc::closed).
#pragma once

#include <plait/operation.hpp>
#include <plait/task.hpp>

#include <utility>

namespace plait::io {

class descriptor {
 public:
  descriptor() noexcept = default;
  explicit descriptor(int fd) noexcept;
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    descriptor(std::move(other)).swap(*this);
    return *this;
  }
  ~descriptor();

  void swap(descriptor& other) noexcept { std::swap(fd_, other.fd_); }
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

  // Gives it up: the caller closes it.
  int release() noexcept;
  void close_now() noexcept;
  task<> close();

 private:
  int fd_ = -1;
};

}  // namespace plait::io
