// Text from a stranger is an address or none; what an address says of itself is that address; and what a
// kernel or a peer hands out as one is read within its length.
#include "fuzz.hpp"

#include <plait/io/address.hpp>
#include <plait/io/error.hpp>
#include <plait/io/unix_address.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>

#include <sys/socket.h>

namespace {

using plait::fuzz::input;
using plait::fuzz::require;
using plait::io::address;
using plait::io::unix_address;

void parse(input const& in) {
  std::optional<address> const read = address::parse(in.text());
  if (!read) return;
  std::optional<address> const again = address::parse(read->to_string());
  require(again.has_value() && *again == *read, "parse takes what to_string gives");
}

void host(input& in) {
  std::uint16_t const port = static_cast<std::uint16_t>(in.byte() << 8 | in.byte());
  try {
    address const made(in.text(), port);
    require(made.port() == port, "the port is kept");
    require(address(made.host(), port) == made, "host gives what the constructor takes");
  } catch (plait::io::io_error const&) {
  }
}

void path(input const& in) {
  try {
    unix_address const made(in.text());
    require(made.path() == in.text(), "the path is kept");
    require(unix_address::from(made.data(), made.size()) == made, "the kernel's form gives it back");
  } catch (plait::io::io_error const&) {
  }
}

void from_kernel(input const& in) {
  alignas(sockaddr_storage) std::array<unsigned char, sizeof(sockaddr_storage)> storage{};
  std::size_t const size = std::min(in.text().size(), storage.size());
  std::memcpy(storage.data(), in.text().data(), size);
  auto const* const kernel = reinterpret_cast<sockaddr const*>(storage.data());
  if (kernel->sa_family == AF_UNIX) {
    unix_address const read = unix_address::from(kernel, static_cast<unsigned>(size));
    require(read.size() <= sizeof(sockaddr_storage), "its length is within the structure");
    static_cast<void>(read.to_string());
  } else {
    static_cast<void>(address::from(kernel, static_cast<unsigned>(size)).to_string());
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  input in(data, size);
  switch (in.byte() % 4) {
    case 0: parse(in); break;
    case 1: host(in); break;
    case 2: path(in); break;
    default: from_kernel(in); break;
  }
  return 0;
}
