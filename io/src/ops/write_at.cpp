// pwrite(2) on a file.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>

namespace plait::io {
namespace {

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_write(&sqe, o.fd, o.next_byte(), static_cast<unsigned>(o.next_length()),
                      o.offset + o.done);
}

int block(op& o, system_calls& sys) {
  return static_cast<int>(sys.pwrite(o.fd, o.next_byte(), o.next_length(), o.offset + o.done));
}

}  // namespace

op_lowering const lowerings::write_at{"write_at", IORING_OP_WRITE, prepare, 0, nullptr, block};

}  // namespace plait::io
