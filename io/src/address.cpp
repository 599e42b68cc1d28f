#include <plait/io/address.hpp>

#include <plait/io/error.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>

namespace plait::io {
namespace {

static_assert(sizeof(sockaddr_in6) == 28 && AF_INET == 2);

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  std::uint16_t port = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return port;
}

bool fill_v4(sockaddr_in& to, std::string const& host) noexcept {
  to.sin_family = AF_INET;
  return inet_pton(AF_INET, host.c_str(), &to.sin_addr) == 1;
}

// A scope ("%eth0" or "%2") names the link of a link-local address.
bool fill_v6(sockaddr_in6& to, std::string host) noexcept {
  to.sin6_family = AF_INET6;
  if (auto const percent = host.find('%'); percent != std::string::npos) {
    std::string const scope = host.substr(percent + 1);
    host.resize(percent);
    to.sin6_scope_id = if_nametoindex(scope.c_str());
    if (to.sin6_scope_id == 0) {
      auto const [end, error] =
          std::from_chars(scope.data(), scope.data() + scope.size(), to.sin6_scope_id);
      if (error != std::errc() || end != scope.data() + scope.size()) return false;
    }
  }
  return inet_pton(AF_INET6, host.c_str(), &to.sin6_addr) == 1;
}

template <class Kernel>
Kernel read_as(void const* storage) noexcept {
  Kernel k;
  std::memcpy(&k, storage, sizeof k);
  return k;
}

}  // namespace

address::address(std::string_view host, std::uint16_t port) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  // inet_pton wants a terminator, and stops at one: what is behind an embedded one is no address.
  bool const whole = host.find('\0') == std::string_view::npos;
  if (whole && fill_v4(v4, std::string(host))) {
    v4.sin_port = htons(port);
    std::memcpy(storage_.data(), &v4, sizeof v4);
  } else if (whole && fill_v6(v6, std::string(host))) {
    v6.sin6_port = htons(port);
    std::memcpy(storage_.data(), &v6, sizeof v6);
  } else {
    throw io_error({errc::invalid_address, 0, "address"}, "\"" + std::string(host) + "\"");
  }
}

std::optional<address> address::parse(std::string_view text) noexcept {
  auto const colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto const port = parse_port(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  bool const bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  bool const has_colon = host.find(':') != std::string_view::npos;
  if (!port || bracketed != has_colon) return std::nullopt;
  try {
    return address(host, *port);
  } catch (io_error const&) {
    return std::nullopt;
  }
}

address address::loopback(std::uint16_t port) { return address("127.0.0.1", port); }
address address::any(std::uint16_t port) { return address("0.0.0.0", port); }

int address::family() const noexcept { return read_as<sa_family_t>(storage_.data()); }
bool address::is_v6() const noexcept { return family() == AF_INET6; }
unsigned address::size() const noexcept {
  return is_v6() ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

// Both families keep the port at the same place.
std::uint16_t address::port() const noexcept {
  return ntohs(read_as<sockaddr_in>(storage_.data()).sin_port);
}

std::string address::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (!is_v6()) {
    auto const v4 = read_as<sockaddr_in>(storage_.data());
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return text;
  }
  auto const v6 = read_as<sockaddr_in6>(storage_.data());
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  if (v6.sin6_scope_id == 0) return text;
  return std::string(text) + "%" + std::to_string(v6.sin6_scope_id);
}

std::string address::to_string() const {
  return (is_v6() ? "[" + host() + "]" : host()) + ":" + std::to_string(port());
}

bool address::operator==(address const& other) const noexcept { return storage_ == other.storage_; }

address address::from(sockaddr const* kernel, unsigned length) noexcept {
  address a;
  std::memcpy(a.storage_.data(), kernel, std::min<std::size_t>(length, a.storage_.size()));
  return a;
}

}  // namespace plait::io
