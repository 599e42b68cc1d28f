#include <plait/testing/script.hpp>

#include <cstdio>

namespace plait::testing {
namespace {

constexpr std::size_t shown_max = 200;

// As a C++ literal has it.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char const c : text.substr(0, shown_max)) {
    auto const code = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (code < 0x20 || code >= 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", code);
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + (text.size() > shown_max ? "\" ..." : "\"");
}

}  // namespace

script& script::expect(std::string text) {
  steps_.push_back({kind::expect, std::move(text)});
  return *this;
}

script& script::expect_until(std::string text) {
  steps_.push_back({kind::expect_until, std::move(text)});
  return *this;
}

script& script::expect_eof() {
  steps_.push_back({kind::expect_eof, ""});
  return *this;
}

script& script::reply(std::string text) {
  steps_.push_back({kind::reply, std::move(text)});
  return *this;
}

script& script::wait(duration d) {
  steps_.push_back({kind::wait, "", d});
  return *this;
}

script& script::then_eof() {
  steps_.push_back({kind::eof, ""});
  return *this;
}

script& script::then_reset() {
  steps_.push_back({kind::reset, ""});
  return *this;
}

// Byte by byte where the end is not known, since what follows belongs to the next step.
std::size_t script::wanted(step const& s, std::string_view got) noexcept {
  if (s.what == kind::expect_eof) return got.empty() ? 1 : 0;
  if (s.what == kind::expect_until) return got.ends_with(s.text) ? 0 : 1;
  return s.text.starts_with(got) ? s.text.size() - got.size() : 0;
}

void script::judge(step const& s, std::string_view got) const {
  if (s.what == kind::expect_eof) {
    if (!got.empty()) fail(s, "the end was expected, and " + quoted(got) + " came");
    return;
  }
  bool const fine = s.what == kind::expect_until ? got.ends_with(s.text) : got == s.text;
  if (fine) return;
  std::string const what = quoted(s.text) + " was expected, and ";
  bool const ended = wanted(s, got) != 0;
  fail(s, what + (!ended ? quoted(got) + " came"
                         : "the stream ended after " + (got.empty() ? "nothing" : quoted(got))));
}

void script::fail(step const& s, std::string const& why) const {
  static constexpr char const* names[] = {"expect", "expect_until", "expect_eof", "reply",
                                          "wait",   "then_eof",     "then_reset"};
  auto const number = &s - steps_.data() + 1;
  throw script_failed("step " + std::to_string(number) + " of the script, " +
                      names[static_cast<int>(s.what)] + ": " + why);
}

}  // namespace plait::testing
