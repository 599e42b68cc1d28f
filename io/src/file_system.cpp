#include <plait/io/file_system.hpp>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>

namespace plait::io {
namespace {

// What to do about it, where that is known.
char const* advice(op_lowering const& how, int error) noexcept {
  if (&how == &lowerings::rename) {
    switch (error) {
      case EXDEV: return " (they are on different file systems: copy it, then remove it)";
      case ENOTEMPTY: return " (there is a directory with something in it: remove that first)";
      case EINVAL: return " (into itself, or this file system cannot rename without replacing)";
      default: return "";
    }
  }
  switch (error) {
    case EISDIR: return " (a directory: use remove_directory)";
    case ENOTDIR: return &how == &lowerings::remove_directory ? " (no directory: use remove_file)" : "";
    case ENOTEMPTY: return " (remove what is in it first)";
    case ENOENT: return &how == &lowerings::make_directory ? " (make the one above it first)" : "";
    default: return "";
  }
}

std::string quoted(std::string const& path) { return "\"" + path + "\""; }

}  // namespace

bool path_operation::start(plait::detail::task_state& task) {
  buffer = reinterpret_cast<std::byte*>(path_.data());
  if (two_) offset = reinterpret_cast<std::uintptr_t>(target_.c_str());
  return blocking_op::start(task);
}

void path_operation::result() const {
  if (!failed()) return;
  std::string about = quoted(path_);
  if (two_) about += " to " + quoted(target_);
  throw io_error(failure(), about + advice(*lowering, -answer));
}

status_operation read_status(std::string path, status_options options) {
  return status_operation(AT_FDCWD, std::move(path), options.follow_links ? 0 : AT_SYMLINK_NOFOLLOW);
}

path_operation rename(std::string from, std::string to, rename_options options) {
  return path_operation(lowerings::rename, std::move(from), std::move(to),
                        options.replace ? 0 : static_cast<int>(RENAME_NOREPLACE));
}

path_operation remove_file(std::string path) {
  return path_operation(lowerings::remove_file, std::move(path));
}

path_operation remove_directory(std::string path) {
  return path_operation(lowerings::remove_directory, std::move(path));
}

path_operation make_directory(std::string path, unsigned permissions) {
  return path_operation(lowerings::make_directory, std::move(path), permissions);
}

}  // namespace plait::io
