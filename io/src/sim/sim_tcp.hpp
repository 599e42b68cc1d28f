// A TCP socket of the simulated world: a listener, or one end of a connection. The peers know each
// other directly; what one sends reaches the other by the network.
//
//   client: fresh --connect--> connecting --SYN-ACK--> connected        (SYN again after 1, 2, 4
//   ... s)
//                                  |  refused, or nothing for 127 s
//                                  +---> fresh, with an error
//   server: made by a SYN, connected when the ACK has come; then it waits in the listener's backlog
#pragma once

#include "network.hpp"
#include "sim_socket.hpp"

#include <deque>
#include <memory>
#include <string>

namespace plait::io::sim {

class tcp_socket final : public any_socket {
 public:
  tcp_socket(world& in, int family);

  short ready() const noexcept override;
  int bind(sockaddr const* at, socklen_t size) noexcept override;
  int listen(int backlog) noexcept override;
  int accept(file_use& accepted) noexcept override;
  int connect(sockaddr const* to, socklen_t size) noexcept override;
  int shutdown(int how) noexcept override;
  ssize_t recvmsg(msghdr& message, int flags) noexcept override;
  ssize_t sendmsg(msghdr const& message, int flags) noexcept override;
  int setsockopt(int level, int name, void const* value, socklen_t size) noexcept override;
  int getpeername(sockaddr* into, socklen_t& size) noexcept override;

 private:
  using tcp_ptr = std::shared_ptr<tcp_socket>;
  enum class state : std::uint8_t { fresh, listening, connecting, connected };

  void last_close() noexcept override;
  tcp_ptr self() { return std::static_pointer_cast<tcp_socket>(shared_from_this()); }
  std::size_t room() const noexcept;

  void send_syn(duration patience);
  void fail_to_connect(int error);
  void take_syn(tcp_ptr const& client);
  void take_syn_ack(tcp_ptr const& server, tcp_ptr const& listener);
  void stop_listening();
  void arrive(std::string const& bytes, bool breaks);
  void finish_sending();
  void send_reset();
  void be_reset();

  state is_ = state::fresh;
  socket_address remote_;

  // A listener's.
  std::deque<file_use> established_;
  std::size_t half_open_ = 0;
  std::size_t backlog_ = 0;

  // A connection's end.
  tcp_ptr peer_;        // until both are closed
  network::line line_;  // to here
  agenda::event retry_{};
  bool syn_taken_ = false;
  std::string arrived_;
  std::size_t under_way_ = 0;  // bytes that the peer has sent and that have not arrived
  std::size_t window_ = 0;
  bool end_arrived_ = false;
  bool end_sent_ = false;
  bool reads_ended_ = false;
  bool closed_ = false;
  bool resets_on_close_ = false;
  bool was_reset_ = false;
};

}  // namespace plait::io::sim
