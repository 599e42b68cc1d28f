// Where a UNIX socket is: a path, an abstract name, or nowhere.
#pragma once

#include <array>
#include <string>
#include <string_view>

struct sockaddr;

namespace plait::io {

class unix_address {
 public:
  unix_address() noexcept = default;  // without a name

  // A path of at most 107 bytes, as the kernel has it. Throws io_error that quotes it and says what to
  // do (filename_too_long), also for an empty one or one with a zero byte (invalid_argument).
  explicit unix_address(std::string_view path);

  // A name that is no file, and so protected by nothing: any program may listen there first. To be
  // connected to where somebody else's service wants it.
  static unix_address abstract(std::string_view name);

  bool is_abstract() const noexcept;
  bool is_unnamed() const noexcept { return size_ <= 2; }
  std::string path() const;       // empty for the others
  std::string to_string() const;  // the path, "@name", "(unnamed)"

  bool operator==(unix_address const& other) const noexcept;

  // As the kernel has it.
  static unix_address from(sockaddr const* kernel, unsigned length) noexcept;
  sockaddr const* data() const noexcept { return reinterpret_cast<sockaddr const*>(storage_.data()); }
  unsigned size() const noexcept { return size_; }

 private:
  void set_name(std::string_view name, std::size_t at, std::string_view what);
  std::string_view name() const noexcept;

  alignas(8) std::array<unsigned char, 112> storage_{1};  // sockaddr_un; AF_UNIX is 1
  unsigned size_ = 2;
};

}  // namespace plait::io
