// mkdir(2). `buffer` is the path with its terminator, `offset` the permissions.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <fcntl.h>
#include <liburing.h>

namespace plait::io {
namespace {

char const* path(op const& o) { return reinterpret_cast<char const*>(o.buffer); }

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_mkdirat(&sqe, AT_FDCWD, path(o), static_cast<mode_t>(o.offset));
}

int block(op& o, system_calls& sys) { return sys.mkdir(path(o), static_cast<mode_t>(o.offset)); }

}  // namespace

op_lowering const lowerings::make_directory{"make_directory", IORING_OP_MKDIRAT, prepare, 0,
                                            nullptr, block};

}  // namespace plait::io
