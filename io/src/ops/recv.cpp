// recv(2) on a stream socket: what is there, at least one byte; 0 at the end of the stream.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

namespace plait::io {
namespace {

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_recv(&sqe, o.fd, o.next_byte(), o.next_length(), 0);
  // Unless more is known to be there, wait first: a recv that finds nothing costs a failed attempt.
  if (!o.data_likely) sqe.ioprio |= IORING_RECVSEND_POLL_FIRST;
}

int try_now(op& o, system_calls& sys) {
  return static_cast<int>(sys.recv(o.fd, o.next_byte(), o.next_length(), MSG_DONTWAIT));
}

}  // namespace

op_lowering const lowerings::recv{"read", IORING_OP_RECV, prepare, POLLIN, try_now, nullptr, true};
// UNIX sockets end a read where descriptors were passed.
op_lowering const lowerings::recv_in_pieces{"read", IORING_OP_RECV, prepare, POLLIN, try_now};

}  // namespace plait::io
