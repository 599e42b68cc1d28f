// A descriptor that a pool opened and closes.
#pragma once

#include <plait/detail/ledger.hpp>
#include <plait/system_calls.hpp>

#include <utility>

namespace plait::detail {

class pool_descriptor {
 public:
  pool_descriptor() noexcept = default;
  pool_descriptor(system_calls& sys, int fd) noexcept : sys_(&sys), fd_(fd) {
    if (fd_ >= 0) count(&ledger::descriptors, 1);
  }
  pool_descriptor(pool_descriptor&& other) noexcept
      : sys_(other.sys_), fd_(std::exchange(other.fd_, -1)) {}
  pool_descriptor& operator=(pool_descriptor&& other) noexcept {
    std::swap(sys_, other.sys_);
    std::swap(fd_, other.fd_);
    other.close();
    return *this;
  }
  ~pool_descriptor() { close(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

  void close() noexcept {
    if (fd_ < 0) return;
    sys_->close(std::exchange(fd_, -1));
    count(&ledger::descriptors, -1);
  }

 private:
  system_calls* sys_ = nullptr;
  int fd_ = -1;
};

}  // namespace plait::detail
