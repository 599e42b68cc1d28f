#include <pool_wire.hpp>

#include <plait/system_calls.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

using plait::system_calls;
using plait::detail::control_message;
using plait::detail::received_control;

namespace {

// Two ends of a socket as a zygote and its program have it, and what a stranger may send over it.
class wire {
 public:
  wire() { REQUIRE(sys.socketpair(SOCK_SEQPACKET, ends_) == 0); }
  ~wire() {
    for (int const fd : ends_) sys.close(fd);
  }
  wire(wire const&) = delete;
  wire& operator=(wire const&) = delete;

  void send(void const* bytes, std::size_t size, std::vector<int> const& descriptors) {
    iovec part{const_cast<void*>(bytes), size};
    alignas(cmsghdr) char room[CMSG_SPACE(16 * sizeof(int))] = {};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!descriptors.empty()) {
      std::size_t const descriptor_bytes = descriptors.size() * sizeof(int);
      header.msg_control = room;
      header.msg_controllen = CMSG_SPACE(descriptor_bytes);
      cmsghdr* const rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(descriptor_bytes);
      std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptor_bytes);
    }
    REQUIRE(sys.sendmsg(ends_[0], header, 0) == static_cast<ssize_t>(size));
  }
  int receive(received_control& to) { return plait::detail::receive_control(sys, ends_[1], to, 0); }

  system_calls& sys = system_calls::real();

 private:
  std::array<int, 2> ends_{-1, -1};
};

// The number that the next descriptor gets tells whether one is left open.
int next_descriptor() {
  int const fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(fd);
  return fd;
}

}  // namespace

TEST_CASE("pool wire: a message brings its descriptors") {
  wire w;
  control_message const sent{.number = 7};
  w.send(&sent, sizeof sent, {0, 1});
  received_control got;
  REQUIRE(w.receive(got) == 1);
  CHECK(got.message.number == 7);
  CHECK(got.descriptors[0] >= 0);
  CHECK(got.descriptors[1] >= 0);
  CHECK(got.descriptors[2] == -1);
  for (int const fd : got.descriptors) {
    if (fd >= 0) w.sys.close(fd);
  }
}

TEST_CASE("pool wire: more descriptors than a message has are closed, and it is refused") {
  wire w;
  control_message const sent{};
  int const before = next_descriptor();
  for (std::size_t count : {4, 5, 16}) {
    w.send(&sent, sizeof sent, std::vector<int>(count, 0));
    received_control got;
    CHECK(w.receive(got) == -EBADMSG);
    for (int const fd : got.descriptors) CHECK(fd == -1);
    CHECK(next_descriptor() == before);
  }
}

TEST_CASE("pool wire: a message of another length is refused, and its descriptors are closed") {
  wire w;
  int const before = next_descriptor();
  w.send("short", 5, {0, 1});
  received_control got;
  CHECK(w.receive(got) == -EBADMSG);
  CHECK(next_descriptor() == before);
}
