#include <plait/io/unix.hpp>

#include "accept_source.hpp"
#include "io_driver.hpp"
#include "socket.hpp"
#include "sys.hpp"

#include <plait/sleep.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <sys/socket.h>

namespace plait::io {
namespace {

using namespace std::chrono_literals;

constexpr duration patience_max = 100ms;

bool is_full(io_failure const& f) { return f.code.value() == EXFULL; }

std::pair<descriptor, descriptor> open_pair(int type) {
  int ends[2];
  int const mode = io_driver::current().wants_nonblocking() ? SOCK_NONBLOCK : 0;
  if (int const answer = sys_here().socketpair(type | mode, ends); answer < 0) {
    throw_errno(answer, "socketpair");
  }
  return {descriptor(ends[0]), descriptor(ends[1])};
}

unix_address bound_address(int fd) {
  socket_name const name = local_name_of(fd);
  return unix_address::from(name.data(), name.size);
}

}  // namespace

task<unix_stream> unix_stream::connect(unix_address to) {
  descriptor fd = open_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
  duration patience = 1ms;
  for (;;) {
    plain_op attempt(lowerings::connect_local, fd.get(), const_cast<sockaddr*>(to.data()), to.size());
    result<void> const answer = co_await as_result(std::move(attempt));
    if (answer) break;
    if (!is_full(answer.error())) {
      bool const refused = answer.error().code == std::errc::connection_refused;
      throw io_error(answer.error(), "to " + to.to_string() + (refused ? " (nobody listens there)" : ""));
    }
    co_await sleep_for(patience);
    patience = std::min(patience * 2, patience_max);
  }
  io_driver& driver = io_driver::current();
  if (!driver.wants_nonblocking()) driver.sys().set_nonblocking(fd.get(), false);
  co_return unix_stream(std::move(fd));
}

std::pair<unix_stream, unix_stream> unix_stream::pair() {
  auto [one, other] = open_pair(SOCK_STREAM);
  return {unix_stream(std::move(one)), unix_stream(std::move(other))};
}

task<> unix_stream::send_descriptors(std::span<int const> fds, const_buffer with) {
  send_descriptors_op first(fd(), fds, with);
  std::size_t const sent = co_await std::move(first);
  if (sent < with.size()) co_await write_all(const_buffer(with.data() + sent, with.size() - sent));
}

peer_credentials unix_stream::credentials() const {
  ucred kernel{};
  socklen_t size = sizeof kernel;
  int const answer = sys_here().getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &kernel, size);
  if (answer < 0) throw_errno(answer, "credentials");
  return {kernel.pid, kernel.uid, kernel.gid};
}

unix_listener::unix_listener(detail::accept_source_ptr source, detail::socket_file file) noexcept
    : source_(std::move(source)), file_(std::move(file)) {}

unix_listener unix_listener::listen(unix_address at, unix_listen_options options) {
  descriptor fd = open_socket(AF_UNIX, SOCK_STREAM);
  detail::socket_file file(fd.get(), at, options.mode, SOCK_STREAM, options.backlog);
  detail::accept_source_ptr source(new detail::accept_source(std::move(fd)));
  return unix_listener(std::move(source), std::move(file));
}

task<unix_stream> unix_listener::accept() {
  descriptor fd = co_await source_->accept(exhausted_);
  co_return unix_stream(std::move(fd));
}

unix_address unix_listener::local_address() const { return bound_address(fd()); }
int unix_listener::fd() const noexcept { return source_->listening_fd(); }

void unix_listener::close() noexcept {
  file_.remove();
  source_->close();
}

unix_datagram unix_datagram::open() { return unix_datagram(open_socket(AF_UNIX, SOCK_DGRAM)); }

unix_datagram unix_datagram::bind(unix_address at, unsigned mode) {
  unix_datagram made = open();
  made.file_ = detail::socket_file(made.fd(), at, mode, SOCK_DGRAM, 0);
  return made;
}

std::pair<unix_datagram, unix_datagram> unix_datagram::pair() {
  auto [one, other] = open_pair(SOCK_DGRAM);
  return {unix_datagram(std::move(one)), unix_datagram(std::move(other))};
}

void unix_datagram::connect(unix_address to) {
  int const answer = sys_here().connect(fd(), to.data(), to.size());
  if (answer < 0) throw_errno(answer, "connect", "to " + to.to_string());
}

task<std::size_t> unix_datagram::send_to(unix_address to, const_buffer from) {
  duration patience = 1ms;
  for (;;) {
    send_message_op<unix_address> attempt(fd(), to, from);
    attempt.lowering = &lowerings::send_msg_local_to;
    result<std::size_t> const sent = co_await as_result(std::move(attempt));
    if (sent) co_return *sent;
    if (!is_full(sent.error())) throw io_error(sent.error(), "to " + to.to_string());
    co_await sleep_for(patience);
    if (!is_open()) throw io_error({errc::closed, 0, "send"}, "to " + to.to_string());
    patience = std::min(patience * 2, patience_max);
  }
}

task<> unix_datagram::close() {
  co_await fd_.close();
  file_.remove();
}

unix_address unix_datagram::local_address() const { return bound_address(fd()); }

}  // namespace plait::io
