// read(2) on a pipe, or on what else has no position: what is there, at least one byte; 0 at the end.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include <liburing.h>
#include <poll.h>

namespace plait::io {
namespace {

constexpr std::uint64_t no_position = ~std::uint64_t{0};

void prepare(op& o, io_uring_sqe& sqe) {
  io_uring_prep_read(&sqe, o.fd, o.next_byte(), static_cast<unsigned>(o.next_length()), no_position);
}

int try_now(op& o, system_calls& sys) {
  return static_cast<int>(sys.read(o.fd, o.next_byte(), o.next_length()));
}

}  // namespace

op_lowering const lowerings::read_stream{"read", IORING_OP_READ, prepare, POLLIN, try_now};

}  // namespace plait::io
