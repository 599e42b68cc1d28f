#include "fifo.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

namespace plait::test {

fifo::fifo() {
  char folder[] = "/tmp/plait-test-XXXXXX";
  if (::mkdtemp(folder) == nullptr) throw std::runtime_error("no temporary folder");
  folder_ = folder;
  path_ = folder_ + "/pipe";
  if (::mkfifo(path_.c_str(), 0600) != 0) throw std::runtime_error("no named pipe");
  fd_ = ::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) throw std::runtime_error("cannot open a named pipe");
}

fifo::~fifo() {
  ::close(fd_);
  ::unlink(path_.c_str());
  ::rmdir(folder_.c_str());
}

task<pid_t> fifo::next() {
  pid_t value = 0;
  while (::read(fd_, &value, sizeof value) != sizeof value) co_await fd_wait(fd_, POLLIN);
  co_return value;
}

void fifo::send(pid_t value) const {
  if (::write(fd_, &value, sizeof value) != sizeof value) throw std::runtime_error("a full pipe");
}

void say(std::string const& path, pid_t value) {
  int const fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  bool const said = ::write(fd, &value, sizeof value) == sizeof value;
  ::close(fd);
  if (!said) throw std::runtime_error("cannot write to the test's pipe");
}

pid_t hear(std::string const& path) {
  pid_t value = 0;
  int const fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  bool const heard = ::read(fd, &value, sizeof value) == sizeof value;
  ::close(fd);
  if (!heard) throw std::runtime_error("cannot read from the test's pipe");
  return value;
}

}  // namespace plait::test
