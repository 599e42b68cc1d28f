#include "output/progress.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "method/window.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

constexpr std::uint64_t redraw_ns = 100'000'000;

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// What the repetitions so far say of the cell.
std::string so_far(cell_result const& c, look const& style) {
  workload const* const what = find_workload(c.cell.workload);
  if (!what || c.reps.empty()) return {};
  auto const values = c.values();
  std::string text = short_value(what->figure, median(values));
  if (values.size() >= 3) {
    double const middle = median(values);
    double const spread = (quantile(values, 0.75) - quantile(values, 0.25)) / 2;
    if (middle != 0)
      text += fmt::format(" {}{:.1f}%", style.plus_minus(), 100 * std::abs(spread / middle));
  }
  return text;
}

}  // namespace

progress::progress(bool wanted, look style, double seconds_in_all)
    : wanted_(wanted),
      terminal_(::isatty(STDERR_FILENO) == 1),
      style_(style),
      total_s_(std::max(seconds_in_all, 0.001)),
      began_(now_ns()) {}

progress::~progress() { clear(); }

void progress::clear() {
  if (!visible_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  visible_ = false;
}

// By how the turns done compare with their estimates; the estimates alone at first.
double progress::seconds_left() const {
  double const elapsed = static_cast<double>(now_ns() - began_) / 1e9;
  double const pace = done_s_ > 1 ? elapsed / done_s_ : 1;
  return std::max(0.0, (total_s_ - done_s_) * pace);
}

void progress::draw(cell_result const& c, int repetitions) {
  std::uint64_t const now = now_ns();
  if (visible_ && now - drawn_ < redraw_ns) return;
  constexpr std::size_t width = 20;
  double const part = std::min(1.0, done_s_ / total_s_);
  auto const full = static_cast<std::size_t>(part * width);
  std::string bar;
  for (std::size_t i = 0; i < width; ++i) bar += i < full ? style_.full() : style_.empty();
  int const left = static_cast<int>(std::lround(seconds_left()));
  std::string line =
      fmt::format("[{}] {:3.0f}%  {}  rep {}/{}  left {}:{:02}  {}", bar, part * 100,
                  c.cell.label(), std::min(static_cast<int>(c.reps.size()) + 1, repetitions),
                  repetitions, left / 60, left % 60, so_far(c, style_));
  std::size_t const room = terminal_width() - 1;
  while (columns(line) > room) line.pop_back();
  fmt::print(stderr, "\r{}\033[K", line);
  std::fflush(stderr);
  visible_ = true;
  drawn_ = now;
}

void progress::turn_begins(cell_result const& c, int repetitions) {
  if (wanted_ && terminal_) draw(c, repetitions);
}

void progress::turn_ends(cell_result const& c, int repetitions, double estimated_s) {
  done_s_ += estimated_s;
  if (!wanted_ || terminal_) return;
  if (!c.error.empty()) {
    fmt::print(stderr, "{}: FAILED {}\n", c.cell.label(), c.error);
  } else if (static_cast<int>(c.reps.size()) == repetitions) {
    fmt::print(stderr, "{}: {}\n", c.cell.label(), so_far(c, style_));
  }
  std::fflush(stderr);
}

}  // namespace plait::lab
