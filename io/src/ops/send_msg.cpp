// sendmsg(2): one message, without SIGPIPE. `buffer` is the msghdr, `flags` are sendmsg's.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

namespace plait::io {
namespace {

msghdr* header(op& o) { return reinterpret_cast<msghdr*>(o.buffer); }

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_sendmsg(&sqe, o.fd, header(o), static_cast<unsigned>(o.flags | MSG_NOSIGNAL));
}

int try_now(op& o, system_calls& sys) {
  return static_cast<int>(sys.sendmsg(o.fd, *header(o), o.flags | MSG_DONTWAIT));
}

}  // namespace

op_lowering const lowerings::send_msg{.name = "send",
                                      .opcode = IORING_OP_SENDMSG,
                                      .prepare = prepare,
                                      .interest = POLLOUT,
                                      .try_now = try_now,
                                      .is_message = true};

}  // namespace plait::io
