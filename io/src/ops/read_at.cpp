// pread(2) on a file: from the page cache at once where the kernel can, else waiting.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>

namespace plait::io {
namespace {

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_read(&sqe, o.fd, o.next_byte(), static_cast<unsigned>(o.next_length()),
                     o.offset + o.done);
}

int try_now(op& o, system_calls& sys) {
  return static_cast<int>(sys.pread_cached(o.fd, o.next_byte(), o.next_length(), o.offset + o.done));
}

int block(op& o, system_calls& sys) {
  return static_cast<int>(sys.pread(o.fd, o.next_byte(), o.next_length(), o.offset + o.done));
}

}  // namespace

op_lowering const lowerings::read_at{"read_at", IORING_OP_READ, prepare, 0, try_now, block};

}  // namespace plait::io
