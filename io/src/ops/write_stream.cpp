// write(2) on a pipe, without SIGPIPE. By readiness on io_uring, too: IORING_OP_WRITE would raise the
// signal in the middle of a loop's turn, and what keeps it away (RWF_NOSIGNAL) is as young as Linux 6.18.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>
#include <poll.h>

namespace plait::io {
namespace {

int try_now(op& o, system_calls& sys) {
  return static_cast<int>(sys.write(o.fd, o.next_byte(), o.next_length()));
}

}  // namespace

op_lowering const lowerings::write_stream{"write", IORING_OP_POLL_ADD, nullptr, POLLOUT, try_now};

}  // namespace plait::io
