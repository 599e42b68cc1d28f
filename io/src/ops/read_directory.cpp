// getdents64(2), for which io_uring has no opcode: the next entries of a directory into `buffer`, as
// many as fit. The answer is their bytes; 0: there are no more.
#include <plait/io/lowerings.hpp>
#include <plait/system_calls.hpp>

#include "../directory_entries.hpp"

#include <liburing.h>

namespace plait::io {
namespace {

// "." and ".." are no news. A batch with nothing else must not be taken for the end.
int block(op& o, system_calls& sys) {
  for (;;) {
    auto const bytes = sys.getdents(o.fd, o.buffer, o.length);
    if (bytes <= 0) return static_cast<int>(bytes);
    for (entry_cursor at(o.buffer, static_cast<std::size_t>(bytes)); at.there(); at.next()) {
      if (!at.is_dots()) return static_cast<int>(bytes);
    }
  }
}

}  // namespace

op_lowering const lowerings::read_directory{"read_directory", IORING_OP_NOP, nullptr, 0,
                                            nullptr, block};

}  // namespace plait::io
