// What stands behind a descriptor of the simulated world. Each kind of open file overrides what it
// can do; what it cannot is answered like the kernel's: results, or a negative errno.
#pragma once

#include <plait/testing/sim.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/stat.h>

namespace plait::io::sim {

class file_use;
class open_file;
class world;
using open_file_ptr = std::shared_ptr<open_file>;

class open_file : public std::enable_shared_from_this<open_file> {
 public:
  explicit open_file(world& in) noexcept;
  open_file(open_file const&) = delete;
  open_file& operator=(open_file const&) = delete;
  virtual ~open_file();

  virtual short ready() const noexcept = 0;  // poll(2)'s events that are there now
  virtual int stat(struct stat& into) const noexcept = 0;
  virtual int chmod(mode_t mode) noexcept;

  virtual ssize_t read(void* to, std::size_t bytes) noexcept;
  virtual ssize_t write(void const* from, std::size_t bytes) noexcept;
  virtual ssize_t pread(void* to, std::size_t bytes, std::uint64_t offset) noexcept;
  virtual ssize_t pread_cached(void* to, std::size_t bytes, std::uint64_t offset) noexcept;
  virtual ssize_t pwrite(void const* from, std::size_t bytes, std::uint64_t offset) noexcept;
  virtual ssize_t append(void const* from, std::size_t bytes) noexcept;
  virtual int sync() noexcept;
  virtual int truncate(std::uint64_t bytes) noexcept;
  virtual ssize_t getdents(void* into, std::size_t bytes) noexcept;

  virtual int bind(sockaddr const* at, socklen_t size) noexcept;
  virtual int listen(int backlog) noexcept;
  // 0 and the connection, which has no descriptor yet.
  virtual int accept(file_use& accepted) noexcept;
  virtual int connect(sockaddr const* to, socklen_t size) noexcept;
  virtual int shutdown(int how) noexcept;
  virtual ssize_t recvmsg(msghdr& message, int flags) noexcept;
  virtual ssize_t sendmsg(msghdr const& message, int flags) noexcept;
  virtual int setsockopt(int level, int name, void const* value, socklen_t size) noexcept;
  virtual int getsockopt(int level, int name, void* value, socklen_t& size) noexcept;
  virtual int getsockname(sockaddr* into, socklen_t& size) noexcept;
  virtual int getpeername(sockaddr* into, socklen_t& size) noexcept;

  bool nonblocking = false;  // remembered, and nothing else: the world never blocks

 protected:
  // The last descriptor is closed, and no message carries one: nobody can reach it any more.
  virtual void last_close() noexcept {}
  // What can be done with its descriptors may have changed.
  void changed() const;

  world& world_;

 private:
  friend class file_use;
  friend class world;

  std::size_t uses_ = 0;
  std::vector<int> descriptors_;
};

// A descriptor, or one that a message carries: keeps the file open.
class file_use {
 public:
  file_use() noexcept = default;
  explicit file_use(open_file_ptr of) noexcept : file_(std::move(of)) { ++file_->uses_; }
  file_use(file_use&&) noexcept = default;
  file_use& operator=(file_use&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~file_use() {
    if (file_ != nullptr && --file_->uses_ == 0) file_->last_close();
  }

  open_file_ptr const& file() const noexcept { return file_; }

 private:
  open_file_ptr file_;
};

// A message's bytes, out of its parts and back into them.
std::size_t bytes_of(msghdr const& message) noexcept;
std::string gather(msghdr const& message, std::size_t most);
void scatter(msghdr const& message, std::string_view bytes) noexcept;

}  // namespace plait::io::sim
