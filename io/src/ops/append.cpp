// A write at the end of a file, wherever that is by then: pwritev2(2) with RWF_APPEND.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>
#include <sys/uio.h>

namespace plait::io {
namespace {

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_write(&sqe, o.fd, o.next_byte(), static_cast<unsigned>(o.next_length()), 0);
  sqe.rw_flags = RWF_APPEND;
}

int block(op& o, system_calls& sys) {
  return static_cast<int>(sys.append(o.fd, o.next_byte(), o.next_length()));
}

}  // namespace

op_lowering const lowerings::append{"append", IORING_OP_WRITE, prepare, 0, nullptr, block};

}  // namespace plait::io
