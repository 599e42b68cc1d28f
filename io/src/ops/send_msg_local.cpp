// sendmsg(2) on a UNIX datagram socket. By readiness on io_uring, too: there a send that finds the
// receiver full has used up its bytes by then, and sends an empty message when there is room (Linux
// 6.18). `buffer` is the msghdr.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <cerrno>
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

namespace plait::io {
namespace {

int try_now(op& o, system_calls& sys) {
  return static_cast<int>(sys.sendmsg(o.fd, *reinterpret_cast<msghdr*>(o.buffer), MSG_DONTWAIT));
}

// EXFULL stands for a full receiver: the kernel tells only who is connected to it when there is room.
int try_unconnected(op& o, system_calls& sys) {
  int const answer = try_now(o, sys);
  return answer == -EAGAIN ? -EXFULL : answer;
}

}  // namespace

op_lowering const lowerings::send_msg_local{.name = "send",
                                            .opcode = IORING_OP_POLL_ADD,
                                            .prepare = nullptr,
                                            .interest = POLLOUT,
                                            .try_now = try_now,
                                            .is_message = true};
op_lowering const lowerings::send_msg_local_to{.name = "send",
                                               .opcode = IORING_OP_POLL_ADD,
                                               .prepare = nullptr,
                                               .interest = POLLOUT,
                                               .try_now = try_unconnected,
                                               .is_message = true};

}  // namespace plait::io
