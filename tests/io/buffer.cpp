#include <plait/io/buffer.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

using plait::io::const_buffer;
using plait::io::mutable_buffer;

TEST_CASE("buffer: whatever is contiguous bytes or characters is a place to read into") {
  char array[7];
  std::array<std::byte, 5> bytes;
  std::vector<unsigned char> vector(9);
  std::string string(11, ' ');
  CHECK(mutable_buffer(array).size() == 7);
  CHECK(mutable_buffer(bytes).data() == bytes.data());
  CHECK(mutable_buffer(vector).size() == 9);
  CHECK(mutable_buffer(string).size() == 11);
  CHECK(mutable_buffer(std::span(vector).subspan(2)).size() == 7);
  CHECK(mutable_buffer(array, 3).size() == 3);
}

TEST_CASE("buffer: text is written without its terminator") {
  CHECK(const_buffer("hello").size() == 5);
  CHECK(const_buffer(std::string("hello")).size() == 5);
  CHECK(const_buffer(std::string_view("hello").substr(1)).size() == 4);
  CHECK(const_buffer("").size() == 0);
  std::vector<std::byte> const bytes(3);
  CHECK(const_buffer(bytes).data() == bytes.data());
}

TEST_CASE("buffer: an array of char that can be changed is written whole, without looking for an end") {
  char bytes[3] = {'a', 'b', 'c'};
  CHECK(const_buffer(bytes).size() == 3);
  CHECK(const_buffer(bytes).data() == reinterpret_cast<std::byte const*>(bytes));
}

TEST_CASE("buffer: an array that can be written to means all of its bytes, with or without a zero") {
  char unterminated[3] = {'a', 'b', 'c'};
  char zeros[4] = {};
  CHECK(const_buffer(unterminated).size() == 3);
  CHECK(const_buffer(zeros).size() == 4);
  std::byte bytes[5] = {};
  unsigned char const octets[6] = {};
  CHECK(const_buffer(bytes).size() == 5);
  CHECK(const_buffer(octets).data() == reinterpret_cast<std::byte const*>(octets));
  CHECK(const_buffer(octets).size() == 6);

  char const text[8] = "abc";
  char const* const literal = "hello";
  CHECK(const_buffer(text).size() == 3);
  CHECK(const_buffer(literal).size() == 5);
}

TEST_CASE("buffer: constant and wide elements are refused where they would be wrong") {
  STATIC_REQUIRE_FALSE(std::is_constructible_v<mutable_buffer, std::string const&>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<mutable_buffer, std::string_view>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<mutable_buffer, std::vector<int>&>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<const_buffer, std::vector<int>&>);
}
