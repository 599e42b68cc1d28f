#include <plait/io/directory.hpp>

#include "directory_entries.hpp"

#include <fcntl.h>

namespace plait::io {
namespace {

constexpr std::size_t batch_bytes = 16 << 10;

file_type type_of_entry(unsigned char type) noexcept {
  switch (type) {
    case DT_REG: return file_type::regular;
    case DT_DIR: return file_type::directory;
    case DT_LNK: return file_type::symbolic_link;
    case DT_FIFO: return file_type::pipe;
    case DT_SOCK: return file_type::socket;
    case DT_CHR: return file_type::character_device;
    case DT_BLK: return file_type::block_device;
    default: return file_type::unknown;
  }
}

}  // namespace

directory open_directory_operation::result() { return directory(opened()); }

io::result<directory> open_directory_operation::expected() {
  if (failed()) return tl::unexpected(failure());
  return directory(opened());
}

open_directory_operation directory::open(std::string path) {
  return open_directory_operation(std::move(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

read_directory_operation::read_directory_operation(int fd)
    : blocking_op(lowerings::read_directory, fd, nullptr, batch_bytes),
      packed_(std::make_unique<std::byte[]>(batch_bytes)) {
  buffer = packed_.get();
}

std::vector<directory_entry> read_directory_operation::entries() const {
  std::vector<directory_entry> found;
  for (entry_cursor at(buffer, static_cast<std::size_t>(answer)); at.there(); at.next()) {
    if (!at.is_dots()) found.push_back({std::string(at.name()), type_of_entry(at.type())});
  }
  return found;
}

std::vector<directory_entry> read_directory_operation::result() const {
  if (failed()) throw_failure();
  return entries();
}

io::result<std::vector<directory_entry>> read_directory_operation::expected() const {
  if (failed()) return tl::unexpected(failure());
  return entries();
}

}  // namespace plait::io
