// A numeric IPv4 or IPv6 address with a port. Names are not resolved.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace plait::io {

class address {
 public:
  address() noexcept = default;  // 0.0.0.0:0

  // "127.0.0.1", "::1", "fe80::1%eth0" and a port. Throws io_error (errc::invalid_address) that
  // quotes the text.
  address(std::string_view host, std::uint16_t port);

  // "127.0.0.1:80" or "[::1]:80"; nothing where it is neither.
  static std::optional<address> parse(std::string_view text) noexcept;

  static address loopback(std::uint16_t port);  // 127.0.0.1
  static address any(std::uint16_t port);       // every IPv4 interface

  bool is_v6() const noexcept;
  std::uint16_t port() const noexcept;
  std::string host() const;
  std::string to_string() const;  // as parse takes it

  bool operator==(address const& other) const noexcept;

  // As the kernel has it.
  static address from(sockaddr const* kernel, unsigned length) noexcept;
  sockaddr const* data() const noexcept { return reinterpret_cast<sockaddr const*>(storage_.data()); }
  unsigned size() const noexcept;
  int family() const noexcept;

 private:
  alignas(4) std::array<unsigned char, 28> storage_{2};  // sockaddr_in or sockaddr_in6; AF_INET is 2
};

}  // namespace plait::io
