#include <plait/codec.hpp>

#include <catch2/catch.hpp>
#include <tl/expected.hpp>

#include <chrono>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

using namespace plait;

namespace {

enum class colour : std::uint8_t { red, green };

struct plain {
  int a;
  double b;
  char name[8];
  friend bool operator==(plain const&, plain const&) = default;
};

struct nested {
  std::string text;
  std::vector<plain> rows;
  std::optional<colour> shade;
  bool flag;
  friend bool operator==(nested const&, nested const&) = default;
};

class hidden {
 public:
  hidden() = default;
  explicit hidden(std::string s) : text_(std::move(s)), length_(text_.size()) {}
  friend bool operator==(hidden const&, hidden const&) = default;

 private:
  template <class Archive>
  friend void plait_codec(Archive& archive, hidden& h) {
    archive(h.text_, h.length_);
  }
  std::string text_;
  std::size_t length_ = 0;
};

struct tree {
  int value = 0;
  std::vector<tree> children;
};

struct nothing {
  friend bool operator==(nothing const&, nothing const&) = default;
};

template <class T>
detail::byte_buffer encoded(T const& value) {
  detail::byte_buffer bytes;
  encoder to(bytes);
  to(value);
  return bytes;
}

template <class T>
T decoded_again(T const& value) {
  auto const bytes = encoded(value);
  decoder from(bytes.view());
  T back = from.get<T>();
  from.expect_end();
  return back;
}

nested some_nested() {
  return {"text with \0 inside", {{1, 2.5, "one"}, {-1, 0.0, ""}}, colour::green, true};
}

using everything = std::tuple<int, std::string, nested, std::map<std::string, std::vector<int>>,
                              std::variant<int, std::string, nothing>, std::optional<double>, hidden>;

everything some_of_everything() {
  return {7, "seven", some_nested(), {{"a", {1, 2}}, {"b", {}}}, std::string("held"), 2.5, hidden("h")};
}

// Encodes a length and nothing behind it.
template <class T>
std::string error_for_length(std::uint64_t claimed) {
  detail::byte_buffer bytes;
  bytes.append(&claimed, sizeof claimed);
  decoder from(bytes.view());
  try {
    from.get<T>();
  } catch (codec_error const& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("codec: numbers, enums and plain structures come back as they were") {
  CHECK(decoded_again(-5) == -5);
  CHECK(decoded_again(std::numeric_limits<std::uint64_t>::max()) ==
        std::numeric_limits<std::uint64_t>::max());
  CHECK(decoded_again(0.1) == 0.1);
  CHECK(decoded_again(colour::green) == colour::green);
  CHECK(decoded_again(true));
  CHECK(decoded_again(plain{3, 4.5, "name"}) == plain{3, 4.5, "name"});
  CHECK(decoded_again(std::chrono::milliseconds(12)) == std::chrono::milliseconds(12));
}

TEST_CASE("codec: text and containers come back as they were") {
  CHECK(decoded_again(std::string("a\0b", 3)) == std::string("a\0b", 3));
  CHECK(decoded_again(std::u16string(u"text")) == u"text");
  CHECK(decoded_again(std::vector<int>{1, 2, 3}) == std::vector<int>{1, 2, 3});
  CHECK(decoded_again(std::vector<bool>{true, false, true}) == std::vector<bool>{true, false, true});
  CHECK(decoded_again(std::vector<std::string>{"a", ""}) == std::vector<std::string>{"a", ""});
  CHECK(decoded_again(std::deque<int>{1, 2}) == std::deque<int>{1, 2});
  CHECK(decoded_again(std::list<std::string>{"x"}) == std::list<std::string>{"x"});
  CHECK(decoded_again(std::array<std::string, 2>{"a", "b"}) == std::array<std::string, 2>{"a", "b"});
  CHECK(decoded_again(std::set<int>{3, 1}) == std::set<int>{1, 3});
  CHECK(decoded_again(std::multimap<int, int>{{1, 2}, {1, 3}}) ==
        std::multimap<int, int>{{1, 2}, {1, 3}});
  using dictionary = std::unordered_map<std::string, std::optional<int>>;
  CHECK(decoded_again(dictionary{{"a", 1}, {"b", {}}}) == dictionary{{"a", 1}, {"b", {}}});
}

TEST_CASE("codec: what may be one thing or another comes back as what it was") {
  CHECK(decoded_again(std::optional<int>()) == std::nullopt);
  CHECK(decoded_again(std::optional<std::string>("x")) == "x");
  using either = std::variant<int, std::string, nothing>;
  CHECK(decoded_again(either(5)) == either(5));
  CHECK(decoded_again(either("five")) == either("five"));
  CHECK(decoded_again(either(nothing())) == either(nothing()));
  using outcome = tl::expected<int, std::string>;
  CHECK(decoded_again(outcome(5)) == outcome(5));
  CHECK(decoded_again(outcome(tl::unexpect, "why")).error() == "why");
  CHECK(decoded_again(tl::expected<void, int>()).has_value());
  CHECK(*decoded_again(std::make_unique<std::string>("owned")) == "owned");
  CHECK(decoded_again(std::unique_ptr<int>()) == nullptr);
}

TEST_CASE("codec: aggregates and classes with a codec of their own come back as they were") {
  CHECK(decoded_again(some_nested()) == some_nested());
  CHECK(decoded_again(hidden("secret")) == hidden("secret"));
  CHECK(decoded_again(some_of_everything()) == some_of_everything());
}

TEST_CASE("codec: plain memory travels in one piece, a bool never does") {
  CHECK(detail::is_bytewise<plain>());
  CHECK(detail::is_bytewise<std::array<plain, 3>>());
  CHECK_FALSE(detail::is_bytewise<nested>());
  CHECK_FALSE(detail::is_bytewise<bool>());
  CHECK(encoded(std::vector<plain>(10)).size() == 8 + 10 * sizeof(plain));
}

TEST_CASE("codec: a message that ends early is an error at every byte") {
  auto const bytes = encoded(some_of_everything());
  std::size_t refused = 0;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    decoder from(bytes.view().first(length));
    try {
      from.get<everything>();
    } catch (codec_error const&) {
      ++refused;
    }
  }
  CHECK(refused == bytes.size());
}

TEST_CASE("codec: any byte may be damaged without harm") {
  auto const whole = encoded(some_of_everything());
  std::size_t read = 0;
  std::size_t refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int const damage : {0x01, 0x80, 0xff}) {
      detail::byte_buffer bytes;
      bytes.append(whole.data(), whole.size());
      bytes.data()[at] ^= static_cast<std::byte>(damage);
      decoder from(bytes.view());
      try {
        from.get<everything>();
        ++read;
      } catch (codec_error const&) {
        ++refused;
      }
    }
  }
  CHECK(read + refused == 3 * whole.size());
  CHECK(refused > 0);
}

TEST_CASE("codec: a length that cannot be is refused before anything is allocated") {
  auto const huge = std::numeric_limits<std::uint64_t>::max();
  for (std::uint64_t const claimed : {huge, huge / 8, huge / 2 + 1, std::uint64_t{1}}) {
    CHECK_FALSE(error_for_length<std::string>(claimed).empty());
    CHECK_FALSE(error_for_length<std::vector<double>>(claimed).empty());
    CHECK_FALSE(error_for_length<std::vector<nothing>>(claimed).empty());
    CHECK_FALSE(error_for_length<std::vector<bool>>(claimed).empty());
    CHECK_FALSE((error_for_length<std::map<int, std::string>>(claimed)).empty());
  }
}

TEST_CASE("codec: bytes that no value has are refused") {
  detail::byte_buffer two;
  two.append("\x02\0\0\0", 4);
  auto const refuses = [&]<class T>(std::type_identity<T>) {
    decoder from(two.view());
    try {
      from.get<T>();
    } catch (codec_error const&) {
      return true;
    }
    return false;
  };
  CHECK(refuses(std::type_identity<bool>()));
  CHECK(refuses(std::type_identity<std::optional<char>>()));
  CHECK(refuses(std::type_identity<std::variant<char, bool>>()));
}

TEST_CASE("codec: bytes behind the last value are an error") {
  auto const bytes = encoded(std::pair<int, int>(1, 2));
  decoder from(bytes.view());
  CHECK(from.get<int>() == 1);
  CHECK(from.left() == sizeof(int));
  CHECK_THROWS_AS(from.expect_end(), codec_error);
}

TEST_CASE("codec: values nested too deeply are refused on both sides") {
  tree deep;
  for (int i = 0; i < codec_depth_max; ++i) {
    tree above;
    above.children.push_back(std::move(deep));
    deep = std::move(above);
  }
  CHECK_THROWS_AS(encoded(deep), codec_error);
  // The same by hand: {value, one child} again and again.
  detail::byte_buffer bytes;
  for (int i = 0; i < 100'000; ++i) {
    int const value = 0;
    std::uint64_t const children = 1;
    bytes.append(&value, sizeof value);
    bytes.append(&children, sizeof children);
  }
  decoder from(bytes.view());
  CHECK_THROWS_AS(from.get<tree>(), codec_error);
}

TEST_CASE("codec: more than the limit is refused before it is copied") {
  detail::byte_buffer bytes;
  encoder to(bytes, 100);
  to(std::string(80, 'x'));
  CHECK_THROWS_AS(to(std::string(80, 'y')), message_too_large);
  CHECK(bytes.capacity() < 1000);
  detail::byte_buffer none;
  encoder small(none, 100);
  CHECK_THROWS_AS(small(std::vector<char>(1 << 20)), message_too_large);
  CHECK(none.capacity() < 1000);
}
