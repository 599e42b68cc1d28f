#include <plait/io/unix_address.hpp>

#include <plait/io/error.hpp>

#include <catch2/catch.hpp>

#include <string>

#include <sys/socket.h>
#include <sys/un.h>

using plait::io::io_error;
using plait::io::unix_address;

namespace {

std::string error_of(std::string const& path) {
  try {
    unix_address made(path);
  } catch (io_error const& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("unix_address: a path is kept as it is") {
  unix_address const a("/tmp/a socket");
  CHECK(a.path() == "/tmp/a socket");
  CHECK(a.to_string() == "/tmp/a socket");
  CHECK_FALSE(a.is_abstract());
  CHECK_FALSE(a.is_unnamed());
  CHECK(a == unix_address::from(a.data(), a.size()));
  CHECK_FALSE(a == unix_address("/tmp/another"));
}

TEST_CASE("unix_address: a path of 107 bytes fits, a longer one says what to do") {
  std::string const longest(107, 'x');
  CHECK(unix_address(longest).path() == longest);
  std::string const what = error_of(longest + "y");
  CHECK(what.find("unix_address path \"" + longest + "y\" (107 bytes are the most; use a shorter") == 0);
}

TEST_CASE("unix_address: an empty path and a zero byte are refused") {
  CHECK(error_of("").find("it is empty") != std::string::npos);
  CHECK(error_of(std::string("a\0b", 3)).find("zero byte") != std::string::npos);
}

TEST_CASE("unix_address: an abstract name is no path, whatever it reads like") {
  unix_address const a = unix_address::abstract("name");
  CHECK(a.is_abstract());
  CHECK(a.path().empty());
  CHECK(a.to_string() == "@name");
  CHECK_FALSE(a == unix_address("name"));
  CHECK(a == unix_address::from(a.data(), a.size()));
  CHECK_THROWS_AS(unix_address::abstract(std::string(108, 'x')), io_error);
}

TEST_CASE("unix_address: none at all, and one without a terminator as the kernel may give it") {
  unix_address const none;
  CHECK(none.is_unnamed());
  CHECK(none.to_string() == "(unnamed)");
  CHECK(none == unix_address::from(none.data(), 2));
  sockaddr_un full{};
  full.sun_family = AF_UNIX;
  for (char& c : full.sun_path) c = 'p';
  CHECK(unix_address::from(reinterpret_cast<sockaddr*>(&full), sizeof full).path() ==
        std::string(108, 'p'));
}
