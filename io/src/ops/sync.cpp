// fsync(2) and fdatasync(2).
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>

namespace plait::io {
namespace {

void prepare(op& o, io_uring_sqe& sqe) { io_uring_prep_fsync(&sqe, o.fd, 0); }
void prepare_data(op& o, io_uring_sqe& sqe) {
  io_uring_prep_fsync(&sqe, o.fd, IORING_FSYNC_DATASYNC);
}

int block(op& o, system_calls& sys) { return sys.fsync(o.fd); }
int block_data(op& o, system_calls& sys) { return sys.fdatasync(o.fd); }

}  // namespace

op_lowering const lowerings::sync{"sync", IORING_OP_FSYNC, prepare, 0, nullptr, block};
op_lowering const lowerings::sync_data{"sync_data", IORING_OP_FSYNC, prepare_data, 0, nullptr,
                                       block_data};

}  // namespace plait::io
