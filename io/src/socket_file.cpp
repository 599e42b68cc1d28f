#include <plait/io/detail/socket_file.hpp>

#include "sys.hpp"

#include <plait/io/error.hpp>

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace plait::io::detail {
namespace {

[[noreturn]] void fail(int answer, std::string const& path, char const* advice = "") {
  throw_errno(answer, "bind", "on " + path + advice);
}

int status_of(std::string const& path, struct statx& about) noexcept {
  return sys_here().statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, about);
}

dev_t device_of(struct statx const& about) noexcept {
  return makedev(about.stx_dev_major, about.stx_dev_minor);
}

// Held while it is alive. A folder that may not be read is not locked: who cannot read it can
// hardly make a file there either.
class folder_lock {
 public:
  explicit folder_lock(std::string const& path) {
    auto const slash = path.rfind('/');
    std::string const folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    fd_ = sys_here().open(folder.c_str(), O_RDONLY | O_DIRECTORY, 0);
    if (fd_ >= 0) sys_here().flock(fd_, LOCK_EX);
  }
  folder_lock(folder_lock const&) = delete;
  folder_lock& operator=(folder_lock const&) = delete;
  ~folder_lock() {
    if (fd_ >= 0) sys_here().close(fd_);
  }

 private:
  int fd_;
};

// Whether the socket's file is left over. Only a refused connection says so: a full backlog,
// another type of socket or a file that may not be written are somebody's.
bool is_stale(unix_address const& at, int type) {
  system_calls& sys = sys_here();
  int const probe = sys.socket(AF_UNIX, type | SOCK_NONBLOCK);
  if (probe < 0) fail(probe, at.path());
  bool const refused = sys.connect(probe, at.data(), at.size()) == -ECONNREFUSED;
  sys.close(probe);
  return refused;
}

void bind_or_replace(int fd, unix_address const& at, int type) {
  std::string const path = at.path();
  system_calls& sys = sys_here();
  int answer = sys.bind(fd, at.data(), at.size());
  if (answer == 0) return;
  if (answer == -ENOENT) fail(answer, path, " (make the folder first)");
  if (answer != -EADDRINUSE) fail(answer, path);
  struct statx about{};
  if (status_of(path, about) == 0 && !S_ISSOCK(about.stx_mode)) {
    fail(answer, path, " (a file that is no socket stands there; choose another path)");
  }
  if (!is_stale(at, type)) {
    fail(answer, path, " (choose another path, or end the program that holds it)");
  }
  answer = sys.unlink(path.c_str());
  if (answer < 0 && answer != -ENOENT) fail(answer, path);
  answer = sys.bind(fd, at.data(), at.size());
  if (answer < 0) fail(answer, path);
}

}  // namespace

socket_file::socket_file(int fd, unix_address const& at, unsigned mode, int type, int backlog) {
  if (at.path().empty()) {
    fail(-EINVAL, at.to_string(),
         " (it takes a path; any program could take an abstract name first)");
  }
  std::string path = at.path();
  folder_lock const lock(path);
  // The file gets the mode of the socket, less what umask takes: it is never open too wide.
  system_calls& sys = sys_here();
  sys.fchmod(fd, mode);
  bind_or_replace(fd, at, type);
  struct statx about{};
  int answer = status_of(path, about);
  if (answer < 0) fail(answer, path);
  path_ = std::move(path);
  device_ = device_of(about);
  inode_ = about.stx_ino;
  answer = sys.chmod(path_.c_str(), mode);
  if (answer == 0 && type == SOCK_STREAM) answer = sys.listen(fd, backlog);
  if (answer < 0) {
    remove();
    fail(answer, at.path());
  }
}

void socket_file::remove() noexcept {
  std::string const path = std::exchange(path_, {});
  struct statx about{};
  if (path.empty() || status_of(path, about) < 0) return;
  if (device_of(about) == device_ && about.stx_ino == inode_) sys_here().unlink(path.c_str());
}

}  // namespace plait::io::detail
