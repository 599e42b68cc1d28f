#include <plait/io/signal.hpp>

#include <plait/io/error.hpp>
#include <plait/io/wait.hpp>

#include <cerrno>
#include <sys/signalfd.h>
#include <unistd.h>

namespace plait::io {
namespace {

[[noreturn]] void fail(int error, char const* what) {
  throw io_error({std::error_code(error, std::generic_category()), 0, what});
}

}  // namespace

signal_set::signal_set(std::initializer_list<int> numbers) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int const n : numbers) {
    if (sigaddset(&wanted, n) != 0) fail(EINVAL, "signal_set: no such signal");
  }
  int const fd = ::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) fail(errno, "signalfd");
  fd_ = descriptor(fd);
  if (int const error = pthread_sigmask(SIG_BLOCK, &wanted, &previous_)) fail(error, "pthread_sigmask");
}

signal_set::~signal_set() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }

task<int> signal_set::next() {
  for (;;) {
    signalfd_siginfo info;
    auto const n = ::read(fd_.get(), &info, sizeof info);
    if (n == sizeof info) co_return static_cast<int>(info.ssi_signo);
    if (n < 0 && errno != EAGAIN && errno != EINTR) fail(errno, "signalfd");
    co_await wait_readable(fd_.get());
  }
}

}  // namespace plait::io
