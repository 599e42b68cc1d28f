#pragma once

#include <string>
#include <string_view>

#include "workloads/workload.hpp"

namespace plait::lab {

// Three significant digits and a unit: "98.4k", "1.02M".
std::string short_count(double value);
// A number of units as the command line writes it: "1k", "64", "100k".
std::string short_size(long n);
std::string short_time(double seconds);  // "58.0 ns", "118 us", "1.20 ms"
std::string short_bytes(double bytes);   // "0.2 KiB", "41.5 KiB"
// A workload's figure in its unit: "98.4k/s", "1.02 GB/s", "58.0 ns".
std::string short_value(metric m, double value);
std::string short_ratio(double ratio);  // "9.1x", "1.04x"

// How many columns a terminal takes for it (UTF-8, no wide characters, colour codes not counted).
std::size_t columns(std::string_view text);
std::string pad_left(std::string_view text, std::size_t width);
std::string pad_right(std::string_view text, std::size_t width);

// What of the terminal's abilities the output uses.
struct look {
  bool color = false;
  bool unicode = false;

  std::string_view plus_minus() const { return unicode ? "±" : "+-"; }
  std::string_view full() const { return unicode ? "█" : "#"; }
  std::string_view empty() const { return unicode ? "░" : "-"; }
  std::string bold(std::string_view text) const;
  std::string dim(std::string_view text) const;
  std::string green(std::string_view text) const;
  std::string yellow(std::string_view text) const;
  std::string red(std::string_view text) const;

 private:
  std::string paint(char const* code, std::string_view text) const;
};

// Colour where `fd` is a terminal, NO_COLOR (no-color.org) is not set and the option allows it;
// UTF-8 where the locale's variables say so.
look look_for(int fd, bool color_option);

}  // namespace plait::lab
