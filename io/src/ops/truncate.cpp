// ftruncate(2). `offset` is the new size.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>

namespace plait::io {
namespace {

constexpr std::uint8_t opcode = 55;  // IORING_OP_FTRUNCATE, Linux 6.9: liburing 2.3 is older

void prepare(op& o, io_uring_sqe& sqe) { io_uring_prep_rw(opcode, &sqe, o.fd, nullptr, 0, o.offset); }

int block(op& o, system_calls& sys) { return sys.ftruncate(o.fd, o.offset); }

}  // namespace

op_lowering const lowerings::truncate{"truncate", opcode, prepare, 0, nullptr, block};

}  // namespace plait::io
