// write(2) on a pipe, without SIGPIPE. By readiness on io_uring, too: IORING_OP_WRITE would raise the
// signal in the middle of a loop's turn, and what keeps it away (RWF_NOSIGNAL) is as young as Linux 6.18.
#include <plait/io/lowerings.hpp>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <liburing.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

namespace plait::io {
namespace {

constexpr int without_signal = 0x100;  // RWF_NOSIGNAL, which libc's headers do not know yet

// The signal is held back, and taken out again unless somebody else's was waiting already.
ssize_t write_with_signal_held(op& o) {
  sigset_t pending;
  sigset_t before;
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
  auto const n = ::write(o.fd, o.buffer + o.done, o.length - o.done);
  int const error = errno;
  if (n < 0 && error == EPIPE && sigismember(&pending, SIGPIPE) == 0) {
    timespec const at_once{};
    while (sigtimedwait(&broken_pipe, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return n;
}

ssize_t write_quietly(op& o) {
  static std::atomic<bool> kernel_can{true};
  if (kernel_can.load(std::memory_order_relaxed)) {  // whoever misses the change asks once more
    iovec const v{o.buffer + o.done, o.length - o.done};
    auto const n = ::pwritev2(o.fd, &v, 1, -1, without_signal);
    if (n >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) return n;
    kernel_can.store(false, std::memory_order_relaxed);
  }
  return write_with_signal_held(o);
}

int try_now(op& o) {
  auto const n = write_quietly(o);
  return n >= 0 ? static_cast<int>(n) : -errno;
}

}  // namespace

op_lowering const lowerings::write_stream{"write", IORING_OP_POLL_ADD, nullptr, POLLOUT, try_now};

}  // namespace plait::io
