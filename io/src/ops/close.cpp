// close(2) of a file, which may write back and fail.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <cerrno>
#include <liburing.h>

namespace plait::io {
namespace {

void prepare(op& o, io_uring_sqe& sqe) { io_uring_prep_close(&sqe, o.fd); }

// EINTR: Linux has closed it all the same.
int block(op& o, system_calls& sys) {
  int const answer = sys.close(o.fd);
  return answer == -EINTR ? 0 : answer;
}

}  // namespace

op_lowering const lowerings::close{"close", IORING_OP_CLOSE, prepare, 0, nullptr, block};

}  // namespace plait::io
