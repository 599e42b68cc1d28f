#include "output/format.hpp"

#include <array>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

namespace plait::lab {

namespace {

std::string three_digits(double v) {
  double const a = std::abs(v);
  if (a == 0) return "0";
  if (a >= 99.95) return fmt::format("{:.0f}", v);
  if (a >= 9.995) return fmt::format("{:.1f}", v);
  return fmt::format("{:.2f}", v);
}

template <std::size_t N>
std::string scaled(double value, double step, std::array<char const*, N> const& units) {
  std::size_t i = 0;
  while (i + 1 < N && std::abs(value) >= step * 0.9995) {
    value /= step;
    ++i;
  }
  return three_digits(value) + units[i];
}

}  // namespace

std::string short_count(double value) {
  return scaled(value, 1e3, std::array{"", "k", "M", "G", "T"});
}

std::string short_size(long n) {
  if (n >= 1'000'000 && n % 1'000'000 == 0) return fmt::format("{}M", n / 1'000'000);
  if (n >= 1'000 && n % 1'000 == 0) return fmt::format("{}k", n / 1'000);
  return std::to_string(n);
}

std::string short_time(double seconds) {
  if (std::abs(seconds) >= 0.9995) return three_digits(seconds) + " s";
  return scaled(seconds * 1e9, 1e3, std::array{" ns", " us", " ms"});
}

std::string short_bytes(double bytes) {
  if (std::abs(bytes) < 999.5) return fmt::format("{:.0f} B", bytes);
  return scaled(bytes / 1024, 1024, std::array{" KiB", " MiB", " GiB"});
}

std::string short_value(metric m, double value) {
  switch (m) {
    case metric::per_second:
      return short_count(value) + "/s";
    case metric::bytes_per_second:
      return scaled(value / 1e6, 1e3, std::array{" MB/s", " GB/s", " TB/s"});
    case metric::time_per_op:
    case metric::lateness:
      return short_time(value);
    case metric::bytes_per_unit:
      return short_bytes(value);
  }
  return {};
}

std::string short_ratio(double ratio) {
  if (ratio >= 9.95) return fmt::format("{:.0f}x", ratio);
  return ratio >= 1.995 ? fmt::format("{:.1f}x", ratio) : fmt::format("{:.2f}x", ratio);
}

std::size_t columns(std::string_view text) {
  std::size_t count = 0;
  bool in_code = false;
  for (char const c : text) {
    if (c == '\033') in_code = true;
    if (!in_code && (static_cast<unsigned char>(c) & 0xc0) != 0x80) ++count;
    if (in_code && c == 'm') in_code = false;
  }
  return count;
}

std::string pad_left(std::string_view text, std::size_t width) {
  std::size_t const has = columns(text);
  return std::string(width > has ? width - has : 0, ' ').append(text);
}

std::string pad_right(std::string_view text, std::size_t width) {
  std::size_t const has = columns(text);
  return std::string(text).append(width > has ? width - has : 0, ' ');
}

std::string look::paint(char const* code, std::string_view text) const {
  return color ? fmt::format("\033[{}m{}\033[0m", code, text) : std::string(text);
}
std::string look::bold(std::string_view text) const { return paint("1", text); }
std::string look::dim(std::string_view text) const { return paint("2", text); }
std::string look::green(std::string_view text) const { return paint("32", text); }
std::string look::yellow(std::string_view text) const { return paint("33", text); }
std::string look::red(std::string_view text) const { return paint("31", text); }

look look_for(int fd, bool color_option) {
  look l;
  char const* no_color = std::getenv("NO_COLOR");
  char const* terminal = std::getenv("TERM");
  l.color = color_option && ::isatty(fd) && !(no_color && *no_color) &&
            !(terminal && std::string_view(terminal) == "dumb");
  for (char const* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    char const* value = std::getenv(name);
    if (!value || !*value) continue;
    std::string_view const locale(value);
    l.unicode = locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos;
    break;
  }
  return l;
}

}  // namespace plait::lab
