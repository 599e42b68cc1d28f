#include <plait/io/detail/socket_file.hpp>

#include <plait/io/error.hpp>

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace plait::io::detail {
namespace {

[[noreturn]] void fail(int error, std::string const& path, char const* advice = "") {
  throw io_error({std::error_code(error, std::generic_category()), 0, "bind"}, "on " + path + advice);
}

// Held while it is alive. A folder that may not be read is not locked: who cannot read it can hardly
// make a file there either.
class folder_lock {
 public:
  explicit folder_lock(std::string const& path) {
    auto const slash = path.rfind('/');
    std::string const folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    fd_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd_ >= 0 && ::flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  folder_lock(folder_lock const&) = delete;
  folder_lock& operator=(folder_lock const&) = delete;
  ~folder_lock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  int fd_;
};

// Whether the socket's file is left over. Only a refused connection says so: a full backlog, another
// type of socket or a file that may not be written are somebody's.
bool is_stale(unix_address const& at, int type) {
  int const probe = ::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) fail(errno, at.path());
  bool const refused = ::connect(probe, at.data(), at.size()) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return refused;
}

void bind_or_replace(int fd, unix_address const& at, int type) {
  std::string const path = at.path();
  if (::bind(fd, at.data(), at.size()) == 0) return;
  if (errno == ENOENT) fail(errno, path, " (make the folder first)");
  if (errno != EADDRINUSE) fail(errno, path);
  struct stat about{};
  if (::lstat(path.c_str(), &about) == 0 && !S_ISSOCK(about.st_mode)) {
    fail(EADDRINUSE, path, " (a file that is no socket stands there; choose another path)");
  }
  if (!is_stale(at, type)) {
    fail(EADDRINUSE, path, " (choose another path, or end the program that holds it)");
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail(errno, path);
  if (::bind(fd, at.data(), at.size()) != 0) fail(errno, path);
}

}  // namespace

socket_file::socket_file(int fd, unix_address const& at, unsigned mode, int type, int backlog) {
  if (at.path().empty()) {
    fail(EINVAL, at.to_string(), " (it takes a path; any program could take an abstract name first)");
  }
  std::string path = at.path();
  folder_lock const lock(path);
  // The file gets the mode of the socket, less what umask takes: it is never open too wide.
  ::fchmod(fd, mode);
  bind_or_replace(fd, at, type);
  struct stat about{};
  if (::lstat(path.c_str(), &about) != 0) fail(errno, path);
  path_ = std::move(path);
  device_ = about.st_dev;
  inode_ = about.st_ino;
  if (::chmod(path_.c_str(), mode) != 0 || (type == SOCK_STREAM && ::listen(fd, backlog) != 0)) {
    int const error = errno;
    remove();
    fail(error, at.path());
  }
}

void socket_file::remove() noexcept {
  std::string const path = std::exchange(path_, {});
  struct stat about{};
  if (path.empty() || ::lstat(path.c_str(), &about) != 0) return;
  if (about.st_dev == device_ && about.st_ino == inode_) ::unlink(path.c_str());
}

}  // namespace plait::io::detail
