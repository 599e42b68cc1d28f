// pread(2) on a file: from the page cache at once where the kernel can, else waiting.
#include <plait/io/lowerings.hpp>

#include <cerrno>
#include <liburing.h>
#include <sys/uio.h>
#include <unistd.h>

namespace plait::io {
namespace {

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_read(&sqe, o.fd, o.buffer + o.done, static_cast<unsigned>(o.length - o.done),
                     o.offset + o.done);
}

int try_now(op& o) {
  iovec v{o.buffer + o.done, o.length - o.done};
  auto const n = ::preadv2(o.fd, &v, 1, static_cast<off_t>(o.offset + o.done), RWF_NOWAIT);
  if (n >= 0) return static_cast<int>(n);
  return errno == EOPNOTSUPP || errno == ENOSYS ? -EAGAIN : -errno;
}

int block(op& o) {
  auto const n = ::pread(o.fd, o.buffer + o.done, o.length - o.done, static_cast<off_t>(o.offset + o.done));
  return n >= 0 ? static_cast<int>(n) : -errno;
}

}  // namespace

op_lowering const lowerings::read_at{"read_at", IORING_OP_READ, prepare, 0, try_now, block};

}  // namespace plait::io
