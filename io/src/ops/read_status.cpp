// statx(2) of a path or, where that is empty, of a descriptor. `buffer` is the path with its
// terminator, `offset` the address of the struct statx, `flags` are statx's.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>
#include <sys/stat.h>

namespace plait::io {
namespace {

char const* path(op const& o) { return reinterpret_cast<char const*>(o.buffer); }
struct statx* into(op const& o) { return reinterpret_cast<struct statx*>(o.offset); }

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_statx(&sqe, o.fd, path(o), o.flags, STATX_BASIC_STATS, into(o));
}

int block(op& o, system_calls& sys) {
  return sys.statx(o.fd, path(o), o.flags, STATX_BASIC_STATS, *into(o));
}

}  // namespace

op_lowering const lowerings::read_status{"read_status", IORING_OP_STATX, prepare, 0, nullptr, block};

}  // namespace plait::io
