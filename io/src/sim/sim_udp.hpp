// A UDP socket of the simulated world.
#pragma once

#include "sim_socket.hpp"

#include <deque>
#include <string>

namespace plait::io::sim {

class udp_socket final : public any_socket {
 public:
  udp_socket(world& in, int family) : any_socket(in, family, SOCK_DGRAM) {}

  short ready() const noexcept override;
  int bind(sockaddr const* at, socklen_t size) noexcept override;
  int connect(sockaddr const* to, socklen_t size) noexcept override;
  ssize_t recvmsg(msghdr& message, int flags) noexcept override;
  ssize_t sendmsg(msghdr const& message, int flags) noexcept override;
  int setsockopt(int level, int name, void const* value, socklen_t size) noexcept override;
  int getpeername(sockaddr* into, socklen_t& size) noexcept override;

 private:
  struct datagram {
    socket_address sender;
    std::string bytes;
  };

  void last_close() noexcept override;
  void arrive(datagram came);
  void hear_refusal(socket_address const& by);

  socket_address remote_;
  bool connected_ = false;
  std::deque<datagram> received_;
  std::size_t charged_ = 0;  // for what has been received
  std::size_t charged_max_ = 212992;
};

}  // namespace plait::io::sim
