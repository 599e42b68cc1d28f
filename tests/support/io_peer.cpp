#include "support/io_peer.hpp"

#include <plait/io/error.hpp>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace plait::test {
namespace {

int check(int answer, char const* what) {
  if (answer < 0) throw std::system_error(errno, std::generic_category(), what);
  return answer;
}

// A ring that the thread has closed is still being cleared up, which the kernel does by interrupting
// the thread like a signal; and calls with a time limit are not restarted by themselves.
template <class Call>
auto again_if_interrupted(Call call) {
  auto answer = call();
  while (answer < 0 && errno == EINTR) answer = call();
  return answer;
}

// A test that is wrong fails after this time instead of waiting for ever.
void be_patient(int fd) {
  timeval const patience{10, 0};
  check(::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), "SO_RCVTIMEO");
  check(::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), "SO_SNDTIMEO");
}

peer new_socket(int family) {
  peer p(check(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  be_patient(p.fd());
  return p;
}

io::address address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  check(::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size), "getsockname");
  return io::address::from(reinterpret_cast<sockaddr*>(&storage), size);
}

// An interrupted connect goes on by itself, and is asked for until it has been made.
void finish_connect(int fd, io::address const& to) {
  int answer = ::connect(fd, to.data(), to.size());
  while (answer < 0 && (errno == EINTR || errno == EALREADY)) {
    answer = ::connect(fd, to.data(), to.size());
  }
  if (answer < 0 && errno == EISCONN) return;
  check(answer, "connect");
}

void set_buffer(int fd, int name, int bytes) {
  if (bytes > 0) check(::setsockopt(fd, SOL_SOCKET, name, &bytes, sizeof bytes), "setsockopt");
}

}  // namespace

peer peer::connect(io::address const& to) {
  peer p = new_socket(to.family());
  finish_connect(p.fd(), to);
  return p;
}

void peer::send(std::string_view bytes, int flags) {
  while (!bytes.empty()) {
    auto const n = again_if_interrupted(
        [&] { return ::send(fd_, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL); });
    check(n < 0 ? -1 : 0, "send");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string peer::receive(std::size_t bytes) {
  std::string got(bytes, '\0');
  std::size_t done = 0;
  while (done < bytes) {
    auto const n = again_if_interrupted(
        [&] { return ::recv(fd_, got.data() + done, bytes - done, MSG_WAITALL); });
    check(n < 0 ? -1 : 0, "recv");
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  got.resize(done);
  return got;
}

std::string peer::receive_all() {
  std::string got;
  for (;;) {
    char piece[65536];
    auto const n = again_if_interrupted([&] { return ::recv(fd_, piece, sizeof piece, 0); });
    if (n < 0 && errno == ECONNRESET) return got + "reset";
    check(n < 0 ? -1 : 0, "recv");
    if (n == 0) return got;
    got.append(piece, static_cast<std::size_t>(n));
  }
}

void peer::half_close() { check(::shutdown(fd_, SHUT_WR), "shutdown"); }

void peer::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void peer::reset() noexcept {
  linger const at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

connection connected(int send_buffer_bytes, int receive_buffer_bytes) {
  peer listener = new_socket(AF_INET);
  set_buffer(listener.fd(), SO_SNDBUF, send_buffer_bytes);
  set_buffer(listener.fd(), SO_RCVBUF, receive_buffer_bytes);
  io::address const any = io::address::loopback(0);
  check(::bind(listener.fd(), any.data(), any.size()), "bind");
  check(::listen(listener.fd(), 1), "listen");
  peer other = new_socket(AF_INET);
  set_buffer(other.fd(), SO_SNDBUF, send_buffer_bytes);
  set_buffer(other.fd(), SO_RCVBUF, receive_buffer_bytes);
  io::address const at = address_of(listener.fd());
  finish_connect(other.fd(), at);
  int const accepted = check(again_if_interrupted([&] {
                               return ::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC);
                             }),
                             "accept");
  return connection{io::tcp_stream(io::descriptor(accepted)), std::move(other)};
}

closed_port::closed_port() : holder_(new_socket(AF_INET)) {
  io::address const any = io::address::loopback(0);
  check(::bind(holder_.fd(), any.data(), any.size()), "bind");
  address_ = address_of(holder_.fd());
}

int open_descriptors() {
  auto const entries = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<int>(std::distance(begin(entries), end(entries))) - 1;  // its own
}

// A limit below what is open leaves that alone; new numbers must be below it. The lowest free
// number decides, so holes are counted.
descriptor_famine::descriptor_famine(int left) {
  // UBSan needs descriptors for its first look at a class's virtual table, and remembers the answer.
  std::error_code const code(EMFILE, std::generic_category());
  std::system_error const plain(code, "");
  io::io_error const ours({code, 0, ""});
  for (std::system_error const* const e : {&plain, static_cast<std::system_error const*>(&ours)}) {
    std::runtime_error const& base = *e;
    static_cast<void>(e->code().message() + base.what());
  }
  rlimit limit{};
  check(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
  previous_ = limit.rlim_cur;
  int number = 0;
  for (int free_numbers = 0; free_numbers <= left; ++number) {
    if (::fcntl(number, F_GETFD) < 0) ++free_numbers;
  }
  limit.rlim_cur = static_cast<rlim_t>(number - 1);
  check(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}

void descriptor_famine::end() noexcept {
  if (over_) return;
  over_ = true;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = previous_;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

temporary_folder::temporary_folder() {
  path_ = (std::filesystem::temp_directory_path() / "plait-test-XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "mkdtemp");
  }
}

temporary_folder::~temporary_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(std::string const& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
}

std::string read_file(std::string const& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string patterned(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  std::uint32_t x = seed * 2654435761u + 1;
  for (char& c : bytes) {
    x = x * 1664525u + 1013904223u;
    c = static_cast<char>(x >> 24);
  }
  return bytes;
}

}  // namespace plait::test
