#include <plait/io/udp.hpp>

#include "socket.hpp"
#include "sys.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>

namespace plait::io {

udp_socket udp_socket::bind(address at, udp_options options) {
  descriptor fd = open_socket(at.family(), SOCK_DGRAM);
  if (options.reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  if (options.broadcast) set_option(fd.get(), SOL_SOCKET, SO_BROADCAST, 1, "SO_BROADCAST");
  if (at.is_v6() && options.v6_only) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
  set_buffers(fd.get(), options.send_buffer_bytes, options.receive_buffer_bytes);
  int const answer = sys_here().bind(fd.get(), at.data(), at.size());
  if (answer < 0) fail_to_bind(answer, "bind", at);
  return udp_socket(std::move(fd));
}

void udp_socket::connect(address to) {
  int const answer = sys_here().connect(fd(), to.data(), to.size());
  if (answer < 0) throw_errno(answer, "connect", "to " + to.to_string());
}

address udp_socket::local_address() const { return local_address_of(fd()); }
address udp_socket::remote_address() const { return remote_address_of(fd()); }

}  // namespace plait::io
