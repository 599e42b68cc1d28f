// Bytes from a stranger are a value or a codec_error; and a value that was read is written and read
// again as the same bytes.
#include "fuzz.hpp"

#include <plait/codec.hpp>

#include <array>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace {

using plait::fuzz::require;

enum class colour : std::uint8_t { red, green };

struct row {
  int a;
  double b;
  char name[8];
};

struct table {
  std::string text;
  std::vector<row> rows;
  std::optional<colour> shade;
  bool flag;
};

struct tree {
  int value = 0;
  std::vector<tree> children;
};

template <class T>
plait::detail::byte_buffer encoded(T const& value) {
  plait::detail::byte_buffer bytes;
  plait::encoder to(bytes);
  to(value);
  return bytes;
}

template <class T>
void read_as(std::span<std::byte const> bytes) {
  plait::detail::byte_buffer once;
  try {
    plait::decoder from(bytes);
    T const value = from.get<T>();
    once = encoded(value);
  } catch (plait::codec_error const&) {
    return;
  }
  plait::decoder from(once.view());
  T const again = from.get<T>();
  from.expect_end();
  plait::detail::byte_buffer const twice = encoded(again);
  require(once.size() == twice.size() &&
              (once.size() == 0 || std::memcmp(once.data(), twice.data(), once.size()) == 0),
          "a value that was read is written and read again as the same bytes");
}

using reader = void (*)(std::span<std::byte const>);

constexpr reader readers[] = {
    read_as<std::string>,
    read_as<std::vector<std::string>>,
    read_as<std::vector<bool>>,
    read_as<table>,
    read_as<tree>,
    read_as<std::map<std::string, std::vector<int>>>,
    read_as<std::set<std::uint16_t>>,
    read_as<std::variant<int, std::string, table>>,
    read_as<std::optional<std::unique_ptr<table>>>,
    read_as<std::tuple<std::deque<row>, std::list<colour>, std::array<std::string, 3>>>,
    read_as<std::vector<std::pair<colour, std::optional<std::string>>>>,
};

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  plait::fuzz::input in(data, size);
  readers[in.byte() % std::size(readers)](in.bytes());
  return 0;
}
