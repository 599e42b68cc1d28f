// openat(2). `buffer` is the path with its terminator, `flags` and `offset` are open's flags and mode.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <fcntl.h>
#include <liburing.h>

namespace plait::io {
namespace {

char const* path(op const& o) { return reinterpret_cast<char const*>(o.buffer); }

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_openat(&sqe, AT_FDCWD, path(o), o.flags, static_cast<mode_t>(o.offset));
}

int block(op& o, system_calls& sys) {
  return sys.open(path(o), o.flags, static_cast<mode_t>(o.offset));
}

}  // namespace

op_lowering const lowerings::open_at{"open", IORING_OP_OPENAT, prepare, 0, nullptr, block};

}  // namespace plait::io
