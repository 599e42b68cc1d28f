// What a zygote's socket may bring, whoever writes to it: no byte of it is read or written out of place,
// and each descriptor that came is handed over or closed.
#include "fuzz.hpp"

#include <pool_wire.hpp>

#include <plait/system_calls.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

namespace {

using plait::fuzz::input;
using plait::fuzz::require;

// Fills a message as the kernel does: at most what there is room for.
class scripted_socket final : public plait::system_calls {
 public:
  explicit scripted_socket(input& script) noexcept : script_(script) {}

  std::set<int> open;

  int close(int fd) noexcept override {
    require(open.erase(fd) == 1, "a descriptor is closed once");
    return 0;
  }

  ssize_t recvmsg(int, msghdr& message, int) noexcept override {
    if (script_.byte() % 8 == 0) return -ECONNRESET;
    pass_descriptors(message, script_.byte() % 8);
    iovec const& part = message.msg_iov[0];
    std::size_t const bytes = std::min<std::size_t>(part.iov_len, script_.byte());
    auto* const to = static_cast<std::uint8_t*>(part.iov_base);
    std::generate(to, to + bytes, [this] { return script_.byte(); });
    return static_cast<ssize_t>(bytes);
  }

 private:
  void pass_descriptors(msghdr& message, std::size_t sent) noexcept {
    std::size_t const room = message.msg_controllen < CMSG_LEN(0) ? 0 : message.msg_controllen - CMSG_LEN(0);
    std::size_t const passed = std::min(sent, room / sizeof(int));
    message.msg_flags = passed < sent ? MSG_CTRUNC : 0;
    if (passed == 0) {
      message.msg_controllen = 0;
      return;
    }
    auto* const header = static_cast<cmsghdr*>(message.msg_control);
    header->cmsg_level = script_.byte() % 16 == 0 ? SOL_SOCKET + 1 : SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(passed * sizeof(int));
    for (std::size_t i = 0; i < passed; ++i) {
      int const fd = 1000 + static_cast<int>(i);
      std::memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof fd);
      if (header->cmsg_level == SOL_SOCKET) open.insert(fd);
    }
    message.msg_controllen = std::min<std::size_t>(message.msg_controllen, CMSG_SPACE(passed * sizeof(int)));
  }

  input& script_;
};

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  input script(data, size);
  scripted_socket socket(script);
  plait::detail::received_control got;
  plait::detail::receive_control(socket, 3, got, 0);
  for (int const fd : got.descriptors) {
    if (fd >= 0) require(socket.open.erase(fd) == 1, "what is handed over is open");
  }
  require(socket.open.empty(), "what is not handed over is closed");
  return 0;
}
