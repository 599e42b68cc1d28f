// send(2) on a stream socket, without SIGPIPE.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

namespace plait::io {
namespace {

void prepare(op& o, io_uring_sqe& sqe) {
  // With MSG_WAITALL the kernel goes on after a short send; it may still give up early.
  int const flags = MSG_NOSIGNAL | (o.all ? MSG_WAITALL : 0);
  io_uring_prep_send(&sqe, o.fd, o.next_byte(), o.next_length(), flags);
}

int try_now(op& o, system_calls& sys) {
  return static_cast<int>(sys.send(o.fd, o.next_byte(), o.next_length(), MSG_DONTWAIT));
}

}  // namespace

op_lowering const lowerings::send{"write", IORING_OP_SEND, prepare, POLLOUT, try_now};

}  // namespace plait::io
