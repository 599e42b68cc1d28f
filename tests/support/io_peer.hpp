// The other side of a connection: a plain blocking socket, driven by the test itself, so that a test
// says exactly what the kernel has seen when. Everything on loopback.
#pragma once

#include <plait/io/address.hpp>
#include <plait/io/tcp.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace plait::test {

class peer {
 public:
  peer() noexcept = default;
  explicit peer(int fd) noexcept : fd_(fd) {}
  peer(peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  peer& operator=(peer&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~peer() { close(); }

  // Throws std::system_error, as everything here does.
  static peer connect(io::address const& to);

  int fd() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void send(std::string_view bytes, int flags = 0);
  // So many bytes, fewer where the stream ends.
  std::string receive(std::size_t bytes);
  // What is left up to the end of the stream; a reset gives "reset" behind what had come.
  std::string receive_all();
  void half_close();
  void close() noexcept;
  void reset() noexcept;  // closes with a reset in place of an end of stream

 private:
  int fd_ = -1;
};

// A connection of loopback TCP whose one end is plait's. Buffer sizes of 0 are the kernel's choice.
struct connection {
  io::tcp_stream stream;
  peer other;
};
connection connected(int send_buffer_bytes = 0, int receive_buffer_bytes = 0);

// A loopback port that nobody listens at, held so that it stays that way.
class closed_port {
 public:
  closed_port();
  io::address address() const { return address_; }

 private:
  peer holder_;
  io::address address_;
};

// How many descriptors this process has open.
int open_descriptors();

// Takes descriptors until none is left, or only so many; gives them back at its end. Sanitizers and
// Catch may need some themselves: check when it has ended.
class descriptor_famine {
 public:
  explicit descriptor_famine(int left = 0);
  ~descriptor_famine() { end(); }
  descriptor_famine(descriptor_famine const&) = delete;
  descriptor_famine& operator=(descriptor_famine const&) = delete;
  void end() noexcept;

 private:
  unsigned long previous_ = 0;
  bool over_ = false;
};

// A folder that is removed with what is in it.
class temporary_folder {
 public:
  temporary_folder();
  ~temporary_folder();
  temporary_folder(temporary_folder const&) = delete;
  temporary_folder& operator=(temporary_folder const&) = delete;
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

void write_file(std::string const& path, std::string_view content);
std::string read_file(std::string const& path);

// Bytes that tell their place: position i has a value that depends on i.
std::string patterned(std::size_t size, unsigned seed = 1);

}  // namespace plait::test
