#include <plait/io/signal.hpp>

#include "sys.hpp"

#include <plait/io/wait.hpp>

#include <cerrno>
#include <sys/signalfd.h>

namespace plait::io {

signal_set::signal_set(std::initializer_list<int> numbers) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int const n : numbers) {
    if (sigaddset(&wanted, n) != 0) throw_errno(-EINVAL, "signal_set: no such signal");
  }
  system_calls& sys = sys_here();
  int const fd = sys.open_signals(wanted);
  if (fd < 0) throw_no_descriptor(fd, "signalfd");
  fd_ = descriptor(fd);
  int const answer = sys.change_held_signals(SIG_BLOCK, wanted, &previous_);
  if (answer < 0) throw_errno(answer, "pthread_sigmask");
}

signal_set::~signal_set() { sys_here().change_held_signals(SIG_SETMASK, previous_, nullptr); }

task<int> signal_set::next() {
  for (;;) {
    signalfd_siginfo info;
    auto const n = sys_here().read(fd_.get(), &info, sizeof info);
    if (n == sizeof info) co_return static_cast<int>(info.ssi_signo);
    if (n < 0 && n != -EAGAIN && n != -EINTR) throw_errno(static_cast<int>(n), "signalfd");
    co_await wait_readable(fd_.get());
  }
}

}  // namespace plait::io
