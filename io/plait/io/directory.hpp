// An open directory: lists its entries, and makes changes of them durable. One thread, one reader.
#pragma once

#include <plait/io/blocking_op.hpp>
#include <plait/io/descriptor.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/file_status.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace plait::io {

struct directory_entry {
  std::string name;  // without the directory's path
  file_type type = file_type::unknown;
};

class directory;

class open_directory_operation : public open_operation {
 public:
  using open_operation::open_operation;
  directory result();
  io::result<directory> expected();
};

class read_directory_operation : public blocking_op {
 public:
  explicit read_directory_operation(int fd);
  read_directory_operation(read_directory_operation&& other) noexcept = default;

  std::vector<directory_entry> result() const;
  io::result<std::vector<directory_entry>> expected() const;
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 private:
  using op::failed;
  std::vector<directory_entry> entries() const;

  std::unique_ptr<std::byte[]> packed_;
};

class directory {
 public:
  directory() noexcept = default;
  explicit directory(descriptor fd) noexcept : fd_(std::move(fd)) {}

  // Throws io_error with open(2)'s errno and the path.
  static open_directory_operation open(std::string path);

  // The next entries, some hundreds at most, in no order; none: all have been told. "." and ".." are
  // left out. What is made or removed meanwhile may be told or not. Cancelling it loses no entries:
  // a batch that was read is delivered.
  read_directory_operation read_some() { return read_directory_operation(fd()); }

  // Until it has returned, a crash of the machine can take back what was made, renamed or removed in
  // this directory. What holds of file::sync holds here.
  sync_operation sync() noexcept { return sync_operation(lowerings::sync, fd()); }

  file_close_operation close() noexcept { return file_close_operation(std::move(fd_)); }

  int fd() const noexcept { return fd_.get(); }
  bool is_open() const noexcept { return static_cast<bool>(fd_); }

 private:
  descriptor fd_;
};

}  // namespace plait::io
