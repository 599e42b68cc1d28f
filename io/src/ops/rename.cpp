// renameat2(2). `buffer` is the old path, `offset` the address of the new one, both with their
// terminators; `flags` are renameat2's.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <fcntl.h>
#include <liburing.h>

namespace plait::io {
namespace {

char const* from(op const& o) { return reinterpret_cast<char const*>(o.buffer); }
char const* to(op const& o) { return reinterpret_cast<char const*>(o.offset); }

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_renameat(&sqe, AT_FDCWD, from(o), AT_FDCWD, to(o), static_cast<unsigned>(o.flags));
}

int block(op& o, system_calls& sys) {
  return sys.rename(from(o), to(o), static_cast<unsigned>(o.flags));
}

}  // namespace

op_lowering const lowerings::rename{"rename", IORING_OP_RENAMEAT, prepare, 0, nullptr, block};

}  // namespace plait::io
