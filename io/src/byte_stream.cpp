#include <plait/io/byte_stream.hpp>

#include "sys.hpp"

#include <cerrno>
#include <sys/socket.h>

namespace plait::io {

template <op_lowering const& receive>
void byte_stream<receive>::shutdown(shutdown_direction direction) {
  int const how = direction == shutdown_direction::read    ? SHUT_RD
                  : direction == shutdown_direction::write ? SHUT_WR
                                                           : SHUT_RDWR;
  int const answer = sys_here().shutdown(fd(), how);
  if (answer < 0 && answer != -ENOTCONN) throw_errno(answer, "shutdown");
}

template class byte_stream<lowerings::recv>;
template class byte_stream<lowerings::recv_in_pieces>;

}  // namespace plait::io
