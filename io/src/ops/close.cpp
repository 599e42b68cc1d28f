// close(2) of a file, which may write back and fail.
#include <plait/io/lowerings.hpp>

#include <cerrno>
#include <liburing.h>
#include <unistd.h>

namespace plait::io {
namespace {

void prepare(op& o, io_uring_sqe& sqe) { io_uring_prep_close(&sqe, o.fd); }

// EINTR: Linux has closed it all the same.
int block(op& o) { return ::close(o.fd) == 0 || errno == EINTR ? 0 : -errno; }

}  // namespace

op_lowering const lowerings::close{"close", IORING_OP_CLOSE, prepare, 0, nullptr, block};

}  // namespace plait::io
