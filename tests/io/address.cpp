#include <plait/io/address.hpp>

#include <plait/io/error.hpp>

#include <catch2/catch.hpp>

#include <cstring>
#include <string>
#include <string_view>

#include <net/if.h>
#include <netinet/in.h>

using plait::io::address;

TEST_CASE("address: what is printed parses to the same address") {
  for (char const* const text :
       {"127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80", "[::]:0",
        "[2001:db8::ff00:42:8329]:443", "[::ffff:192.0.2.1]:7000"}) {
    INFO(text);
    auto const parsed = address::parse(text);
    REQUIRE(parsed.has_value());
    CHECK(parsed->to_string() == text);
    CHECK(address(parsed->host(), parsed->port()) == *parsed);
  }
}

TEST_CASE("address: the port is a number from 0 to 65535 and nothing else") {
  for (char const* const port :
       {"", "-1", "+1", " 1", "1 ", "65536", "99999999999999999999", "0x50", "80a", "http"}) {
    INFO(port);
    CHECK_FALSE(address::parse("127.0.0.1:" + std::string(port)).has_value());
    CHECK_FALSE(address::parse("[::1]:" + std::string(port)).has_value());
  }
  CHECK(address::parse("127.0.0.1:00080")->port() == 80);
}

TEST_CASE("address: text that is no address gives nothing") {
  for (char const* const text :
       {"", ":", "::", ":80", "127.0.0.1", "[::1]", "::1:80", "[127.0.0.1]:80", "[::1:80", "::1]:80",
        "[]:80", "[[::1]]:80", "localhost:80", "127.1:80", "127.0.0.1.1:80", "127.0.0.256:80",
        "127.0.0.01:80", "0x7f.0.0.1:80", "127.0.0.1 :80", " 127.0.0.1:80", "[fe80::1%]:80",
        "[fe80::1%no-such-link]:80", "[fe80::1%4294967296]:80", "127.0.0.1%lo:80", "[::1]x:80"}) {
    INFO(text);
    CHECK_FALSE(address::parse(text).has_value());
  }
  std::string const long_text(100'000, ':');
  CHECK_FALSE(address::parse(long_text).has_value());
  CHECK_FALSE(address::parse("[" + std::string(100'000, 'f') + "]:80").has_value());
}

TEST_CASE("address: a zero byte does not end the text early") {
  using namespace std::string_view_literals;
  CHECK_FALSE(address::parse("127.0.0.1\0.evil:80"sv).has_value());
  CHECK_FALSE(address::parse("127.0.0.1:80\0"sv).has_value());
  CHECK_THROWS_AS(address("127.0.0.1\0"sv, 80), plait::io::io_error);
}

TEST_CASE("address: an invalid host throws an error that quotes it") {
  try {
    address("not an address", 80);
    FAIL("no exception");
  } catch (plait::io::io_error const& e) {
    CHECK(e.code() == plait::io::errc::invalid_address);
    CHECK(std::string(e.what()).find("\"not an address\"") != std::string::npos);
    CHECK(std::string(e.what()).find("not a numeric IPv4 or IPv6 address") != std::string::npos);
  }
}

TEST_CASE("address: a link-local scope is a link's name or number") {
  unsigned const loopback = if_nametoindex("lo");
  if (loopback == 0) {
    CHECK_FALSE(address::parse("[fe80::1%lo]:80").has_value());
    return;
  }
  address const by_name("fe80::1%lo", 80);
  CHECK(by_name == address("fe80::1%" + std::to_string(loopback), 80));
  CHECK(by_name.host() == "fe80::1%" + std::to_string(loopback));
  CHECK(address::parse(by_name.to_string()) == by_name);
  CHECK_FALSE(by_name == address("fe80::1", 80));
}

TEST_CASE("address: the kernel's form and plait's are the same") {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(7000);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address const a = address::from(reinterpret_cast<sockaddr const*>(&v4), sizeof v4);
  CHECK(a == address::loopback(7000));
  CHECK(a.family() == AF_INET);
  CHECK(a.size() == sizeof v4);
  CHECK(std::memcmp(a.data(), &v4, sizeof v4) == 0);

  address const v6("::1", 7000);
  CHECK(v6.is_v6());
  CHECK(v6.size() == sizeof(sockaddr_in6));
  CHECK(address::from(v6.data(), v6.size()) == v6);
  CHECK_FALSE(v6 == a);
}

TEST_CASE("address: the default is any interface and port 0") {
  CHECK(address() == address::any(0));
  CHECK(address().to_string() == "0.0.0.0:0");
}
