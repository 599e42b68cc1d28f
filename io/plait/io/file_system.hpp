// Names in the file system: what stands under one, and making, moving and removing them. All but
// read_status change a directory: a crash of the machine can take that back until the directory has
// been synced (io/directory.hpp).
//
// Failures are io_error with the errno, the paths, and what to do where that is known. A change that
// is cancelled was not made, or it was made and the await returns as if nothing had been cancelled;
// only on network file systems an interrupted one may have been made all the same.
#pragma once

#include <plait/io/blocking_op.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file_status.hpp>
#include <plait/io/lowerings.hpp>

#include <cstdint>
#include <string>

namespace plait::io {

// An operation on one path, or on two.
class path_operation : public blocking_op {
 public:
  path_operation(op_lowering const& how, std::string path, std::uint64_t permissions = 0) noexcept
      : blocking_op(how, -1, nullptr, 0, permissions), path_(std::move(path)) {}
  path_operation(op_lowering const& how, std::string from, std::string to, int flags) noexcept
      : blocking_op(how, -1, nullptr, 0, 0, flags), path_(std::move(from)), target_(std::move(to)),
        two_(true) {}
  path_operation(path_operation&& other) noexcept = default;

  bool start(plait::detail::task_state& task);
  void result() const;
  io::result<void> expected() const {
    if (failed()) return tl::unexpected(failure());
    return {};
  }
  static auto failed(std::error_code code) { return tl::unexpected(io_failure{code, 0, "timeout"}); }

 private:
  using op::failed;

  std::string path_;
  std::string target_;
  bool two_ = false;
};

struct status_options {
  bool follow_links = true;  // false: of a symbolic link itself
};
status_operation read_status(std::string path, status_options options = {});

struct rename_options {
  bool replace = true;  // false: EEXIST where the new name is there already
};
// At once: whoever opens the new name gets the old file or the new one. A file replaces a file, a
// directory an empty directory.
path_operation rename(std::string from, std::string to, rename_options options = {});

// A file, or whatever else is no directory. Who has it open keeps it.
path_operation remove_file(std::string path);

// An empty one.
path_operation remove_directory(std::string path);

path_operation make_directory(std::string path, unsigned permissions = 0755);

}  // namespace plait::io
