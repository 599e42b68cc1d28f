// recvmsg(2): one message, its sender, and what comes beside it. `buffer` is the msghdr, `flags` are
// recvmsg's.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

namespace plait::io {
namespace {

msghdr* header(op& o) { return reinterpret_cast<msghdr*>(o.buffer); }

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_recvmsg(&sqe, o.fd, header(o), static_cast<unsigned>(o.flags));
  if (!o.data_likely) sqe.ioprio |= IORING_RECVSEND_POLL_FIRST;
}

int try_now(op& o, system_calls& sys) {
  return static_cast<int>(sys.recvmsg(o.fd, *header(o), o.flags | MSG_DONTWAIT));
}

}  // namespace

op_lowering const lowerings::recv_msg{.name = "receive",
                                      .opcode = IORING_OP_RECVMSG,
                                      .prepare = prepare,
                                      .interest = POLLIN,
                                      .try_now = try_now,
                                      .is_message = true};

}  // namespace plait::io
