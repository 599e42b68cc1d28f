// UNIX sockets of the simulated world: byte streams with their listeners, and datagrams. What is
// sent is there at once, with the descriptors that go with it.
#pragma once

#include "sim_files.hpp"
#include "sim_socket.hpp"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace plait::io::sim {

// Where UNIX sockets find each other: paths, which are files, and abstract names.
class unix_names {
 public:
  explicit unix_names(file_system& files) noexcept : files_(files) {}

  int take(socket_address const& at, mode_t mode, any_socket& socket);
  // The name of a file stays, and leads to nobody.
  void release(any_socket const& socket) noexcept;
  // 0 or a negative errno.
  int find(socket_address const& at, any_socket*& found) const;
  std::size_t size() const noexcept { return abstract_.size() + bound_.size(); }

 private:
  file_system& files_;
  std::map<std::string, any_socket*> abstract_;
  std::vector<file_node_ptr> bound_;
};

class unix_socket : public any_socket {
 public:
  unix_socket(world& in, int type) noexcept : any_socket(in, AF_UNIX, type) {}

  int stat(struct stat& into) const noexcept override;
  int chmod(mode_t mode) noexcept override;
  int bind(sockaddr const* at, socklen_t size) noexcept override;
  int getsockopt(int level, int name, void* value, socklen_t& size) noexcept override;

 protected:
  // Of the type of this one.
  int find_peer(sockaddr const* at, socklen_t size, any_socket*& found) const;

 private:
  mode_t mode_ = 0777;  // that its file gets
};

class unix_stream_socket final : public unix_socket {
 public:
  explicit unix_stream_socket(world& in);
  static std::pair<open_file_ptr, open_file_ptr> make_pair(world& in);

  short ready() const noexcept override;
  int listen(int backlog) noexcept override;
  int accept(file_use& accepted) noexcept override;
  int connect(sockaddr const* to, socklen_t size) noexcept override;
  int shutdown(int how) noexcept override;
  ssize_t recvmsg(msghdr& message, int flags) noexcept override;
  ssize_t sendmsg(msghdr const& message, int flags) noexcept override;
  int getpeername(sockaddr* into, socklen_t& size) noexcept override;

 private:
  using stream_ptr = std::shared_ptr<unix_stream_socket>;
  enum class state : std::uint8_t { fresh, listening, connected };
  struct piece {
    std::string bytes;
    std::vector<file_use> passed;  // with its first byte
  };

  static void join(stream_ptr const& one, stream_ptr const& other);
  void last_close() noexcept override;
  std::size_t room() const noexcept;
  void end(bool reads, bool writes);

  state is_ = state::fresh;
  bool reads_ended_ = false;
  bool writes_ended_ = false;

  // A listener's.
  std::deque<file_use> waiting_;
  std::size_t backlog_ = 0;

  // A connection's end.
  stream_ptr peer_;  // until one of both is closed
  socket_address remote_;
  bool accepted_ = true;
  std::deque<piece> arrived_;
  std::size_t arrived_bytes_ = 0;
  std::size_t capacity_;  // bytes that may wait to be read
};

class unix_datagram_socket final : public unix_socket {
 public:
  explicit unix_datagram_socket(world& in) : unix_socket(in, SOCK_DGRAM) {}
  static std::pair<open_file_ptr, open_file_ptr> make_pair(world& in);

  short ready() const noexcept override;
  int connect(sockaddr const* to, socklen_t size) noexcept override;
  ssize_t recvmsg(msghdr& message, int flags) noexcept override;
  ssize_t sendmsg(msghdr const& message, int flags) noexcept override;
  int getpeername(sockaddr* into, socklen_t& size) noexcept override;

 private:
  using datagram_ptr = std::shared_ptr<unix_datagram_socket>;
  struct letter {
    std::string bytes;
    std::vector<file_use> passed;
    socket_address sender;
    std::weak_ptr<unix_datagram_socket> from;
  };

  void last_close() noexcept override;
  datagram_ptr self() { return std::static_pointer_cast<unix_datagram_socket>(shared_from_this()); }
  void connect_to(datagram_ptr const& peer);
  bool is_full_for(unix_datagram_socket const& sender) const noexcept;
  void tell_senders() const;
  static void pay_back(letter const& taken);

  std::weak_ptr<unix_datagram_socket> peer_;
  bool connected_ = false;
  bool closed_ = false;
  std::vector<std::weak_ptr<unix_datagram_socket>> senders_;  // that are connected to this one
  std::deque<letter> received_;
  std::size_t charged_ = 0;  // for what it has sent and nobody has taken
};

// Descriptors that a message carries: taken from the sender's table, entered into the receiver's.
int take_passed(world& in, msghdr const& message, std::vector<file_use>& passed);
void give_passed(world& in, msghdr& message, std::vector<file_use> passed);

}  // namespace plait::io::sim
