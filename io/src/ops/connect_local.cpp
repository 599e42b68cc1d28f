// connect(2) of a UNIX socket, which is done at once or not at all. `buffer` is the address, `length`
// its size; the descriptor is non-blocking. EXFULL stands for a full backlog: the kernel says EAGAIN,
// and tells nobody when there is room.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <cerrno>
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

namespace plait::io {
namespace {

int try_now(op& o, system_calls& sys) {
  auto const* const to = reinterpret_cast<sockaddr const*>(o.buffer);
  int const answer = sys.connect(o.fd, to, static_cast<socklen_t>(o.length));
  return answer == -EAGAIN ? -EXFULL : answer;
}

}  // namespace

op_lowering const lowerings::connect_local{"connect", IORING_OP_POLL_ADD, nullptr, POLLOUT, try_now};

}  // namespace plait::io
