// accept4(2): a connected descriptor, close-on-exec. `flags` 1 asks io_uring for many.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

namespace plait::io {
namespace {

void prepare(op& o, io_uring_sqe& sqe) {
  if (o.flags != 0) {
    io_uring_prep_multishot_accept(&sqe, o.fd, nullptr, nullptr, SOCK_CLOEXEC);
  } else {
    io_uring_prep_accept(&sqe, o.fd, nullptr, nullptr, SOCK_CLOEXEC);
  }
}

int try_now(op& o, system_calls& sys) { return sys.accept(o.fd); }

}  // namespace

op_lowering const lowerings::accept{"accept", IORING_OP_ACCEPT, prepare, POLLIN, try_now,
                                      nullptr, false, true};

}  // namespace plait::io
