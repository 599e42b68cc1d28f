#include "cli/options.hpp"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace plait::lab {

namespace {

struct preset_times {
  double window_s;
  double warmup_s;
  int repetitions;
};

preset_times times_of(preset p) {
  switch (p) {
    case preset::quick:
      return {0.25, 0.05, 7};
    case preset::smoke:
      return {0.05, 0.01, 2};
    case preset::normal:
    case preset::full:
      break;
  }
  return {1.0, 0.25, 10};
}

// The number at the front, and what follows it.
double leading_number(std::string_view text, std::string_view& rest, std::string_view what,
                      std::string_view example) {
  double value = 0;
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || !std::isfinite(value) || value < 0)
    throw usage_error(fmt::format("'{}' is not {}; write it like {}", text, what, example));
  rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return value;
}

}  // namespace

double bench_options::window() const { return window_s.value_or(times_of(preset).window_s); }
double bench_options::warmup() const { return warmup_s.value_or(times_of(preset).warmup_s); }
int bench_options::reps() const { return repetitions.value_or(times_of(preset).repetitions); }

long parse_count(std::string_view text) {
  constexpr std::string_view example = "100, 10k or 1M";
  std::string_view rest;
  double value = leading_number(text, rest, "a number of units", example);
  if (rest == "k" || rest == "K") {
    value *= 1e3;
  } else if (rest == "M") {
    value *= 1e6;
  } else if (!rest.empty()) {
    throw usage_error(
        fmt::format("'{}' is not a number of units; write it like {}", text, example));
  }
  if (value < 1 || value > 1e8 || value != std::floor(value))
    throw usage_error(fmt::format("'{}' is not a whole number from 1 to 100M", text));
  return static_cast<long>(value);
}

double parse_duration(std::string_view text) {
  constexpr std::string_view example = "250ms, 2s or 1m";
  std::string_view rest;
  double const value = leading_number(text, rest, "a time", example);
  if (rest.empty() || rest == "s") return value;
  if (rest == "ms") return value / 1e3;
  if (rest == "m" || rest == "min") return value * 60;
  throw usage_error(fmt::format("'{}' is not a time; write it like {}", text, example));
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= text.size();) {
    std::size_t const comma = std::min(text.find(',', from), text.size());
    if (comma == from) throw usage_error(fmt::format("empty part in the list '{}'", text));
    parts.emplace_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return parts;
}

}  // namespace plait::lab
