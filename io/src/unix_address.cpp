#include <plait/io/unix_address.hpp>

#include <plait/io/error.hpp>

#include <algorithm>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

namespace plait::io {
namespace {

constexpr std::size_t begin = offsetof(sockaddr_un, sun_path);
static_assert(sizeof(sockaddr_un) <= 112 && begin == 2 && AF_UNIX == 1);

[[noreturn]] void fail(std::errc code, std::string_view what, std::string_view name, char const* why) {
  std::string const about = std::string(what) + " \"" + std::string(name) + "\" (" + why + ")";
  throw io_error({std::make_error_code(code), 0, "unix_address"}, about);
}

}  // namespace

// One byte is kept for the path's terminator, or stands before an abstract name.
void unix_address::set_name(std::string_view name, std::size_t at, std::string_view what) {
  if (name.empty()) fail(std::errc::invalid_argument, what, name, "it is empty");
  if (name.size() > sizeof(sockaddr_un::sun_path) - 1) {
    fail(std::errc::filename_too_long, what, name,
         "107 bytes are the most; use a shorter folder, or a relative path");
  }
  std::copy(name.begin(), name.end(), storage_.begin() + static_cast<std::ptrdiff_t>(begin + at));
  size_ = static_cast<unsigned>(begin + name.size() + 1);
}

unix_address::unix_address(std::string_view path) {
  if (auto const zero = path.find('\0'); zero != std::string_view::npos) {
    fail(std::errc::invalid_argument, "path", path.substr(0, zero),
         "it has a zero byte; abstract() makes such names");
  }
  set_name(path, 0, "path");
}

unix_address unix_address::abstract(std::string_view name) {
  unix_address a;
  a.set_name(name, 1, "abstract name");
  return a;
}

bool unix_address::is_abstract() const noexcept { return size_ > begin && storage_[begin] == 0; }

// Without what stands around it.
std::string_view unix_address::name() const noexcept {
  if (is_unnamed()) return {};
  auto const* const first = reinterpret_cast<char const*>(storage_.data()) + begin;
  if (is_abstract()) return {first + 1, size_ - begin - 1};
  return {first, strnlen(first, size_ - begin)};
}

std::string unix_address::path() const { return is_abstract() ? std::string() : std::string(name()); }

std::string unix_address::to_string() const {
  if (is_unnamed()) return "(unnamed)";
  return (is_abstract() ? "@" : "") + std::string(name());
}

bool unix_address::operator==(unix_address const& other) const noexcept {
  return is_abstract() == other.is_abstract() && name() == other.name();
}

unix_address unix_address::from(sockaddr const* kernel, unsigned length) noexcept {
  unix_address a;
  if (length <= begin) return a;
  a.size_ = static_cast<unsigned>(std::min<std::size_t>(length, a.storage_.size()));
  std::memcpy(a.storage_.data(), kernel, a.size_);
  return a;
}

}  // namespace plait::io
