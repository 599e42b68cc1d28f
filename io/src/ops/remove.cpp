// unlink(2) and rmdir(2). `buffer` is the path with its terminator.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <fcntl.h>
#include <liburing.h>

namespace plait::io {
namespace {

char const* path(op const& o) { return reinterpret_cast<char const*>(o.buffer); }

void prepare_file(op& o, io_uring_sqe& sqe) {
  io_uring_prep_unlinkat(&sqe, AT_FDCWD, path(o), 0);
}
void prepare_directory(op& o, io_uring_sqe& sqe) {
  io_uring_prep_unlinkat(&sqe, AT_FDCWD, path(o), AT_REMOVEDIR);
}

int block_file(op& o, system_calls& sys) { return sys.unlink(path(o)); }
int block_directory(op& o, system_calls& sys) { return sys.rmdir(path(o)); }

}  // namespace

op_lowering const lowerings::remove_file{"remove_file", IORING_OP_UNLINKAT, prepare_file, 0,
                                         nullptr, block_file};
op_lowering const lowerings::remove_directory{"remove_directory", IORING_OP_UNLINKAT,
                                              prepare_directory, 0, nullptr, block_directory};

}  // namespace plait::io
