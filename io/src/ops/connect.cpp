// connect(2). `buffer` is the address, `length` its size.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <cerrno>
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

namespace plait::io {
namespace {

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_connect(&sqe, o.fd, reinterpret_cast<sockaddr const*>(o.buffer),
                        static_cast<socklen_t>(o.length));
}

// Called again when the socket has become writable: then the kernel knows how it went. EISCONN is
// its way to say that it went well; an error is fetched, or a second connect would start anew.
int try_now(op& o, system_calls& sys) {
  if (o.offset != 0) {
    int error = 0;
    socklen_t size = sizeof error;
    if (sys.getsockopt(o.fd, SOL_SOCKET, SO_ERROR, &error, size) == 0 && error != 0) return -error;
  }
  o.offset = 1;
  auto const* const to = reinterpret_cast<sockaddr const*>(o.buffer);
  int const answer = sys.connect(o.fd, to, static_cast<socklen_t>(o.length));
  if (answer == -EISCONN) return 0;
  return answer == -EINPROGRESS || answer == -EALREADY ? -EAGAIN : answer;
}

}  // namespace

op_lowering const lowerings::connect{"connect", IORING_OP_CONNECT, prepare, POLLOUT, try_now};

}  // namespace plait::io
