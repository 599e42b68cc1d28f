#include "output/table.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "output/verdict.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

constexpr std::size_t bar_width = 8;
constexpr double mebibyte = 1 << 20;

struct column {
  std::string title;
  std::function<std::string(cell_result const&)> text;  // empty: nothing to say about that cell
  bool left = false;
};

using rows = std::vector<cell_result const*>;

double best_of(rows const& cells, bool higher) {
  double best = 0;
  bool first = true;
  for (cell_result const* c : cells) {
    if (!c->sum) continue;
    if (first || (higher ? c->sum->median > best : c->sum->median < best)) best = c->sum->median;
    first = false;
  }
  return best;
}

std::string bar(double part, look const& style) {
  auto const full = static_cast<std::size_t>(std::lround(std::clamp(part, 0.0, 1.0) * bar_width));
  std::string text;
  for (std::size_t i = 0; i < bar_width; ++i)
    text += i < full ? style.full() : std::string_view(" ");
  return text;
}

std::string percentile(cell_result const& c, double q) {
  auto const ns = c.sum->latency.percentile_ns(q);
  return ns ? short_time(*ns / 1e9) : std::string();
}

std::string_view value_title(metric m) {
  switch (m) {
    case metric::per_second:
      return "per second";
    case metric::bytes_per_second:
      return "throughput";
    case metric::time_per_op:
      return "time each";
    case metric::lateness:
      return "mean late";
    case metric::bytes_per_unit:
      return "memory each";
  }
  return "";
}

class table {
 public:
  table(workload const& what, rows cells, look const& style)
      : what_(what), cells_(std::move(cells)), style_(style) {
    add_figure_columns();
    add_detail_columns();
  }

  std::string render() const;

 private:
  bool any(std::function<bool(cell_result::summary const&)> const& has) const {
    return std::any_of(cells_.begin(), cells_.end(),
                       [&](cell_result const* c) { return c->sum && has(*c->sum); });
  }
  void add(std::string title, std::function<std::string(cell_result::summary const&)> text) {
    columns_.push_back({std::move(title), [text = std::move(text)](cell_result const& c) {
                          return c.sum ? text(*c.sum) : std::string();
                        }});
  }
  void add_figure_columns();
  void add_detail_columns();
  std::string footnote(cell_result const& c) const;

  workload const& what_;
  rows cells_;
  look const& style_;
  std::vector<column> columns_;
};

void table::add_figure_columns() {
  columns_.push_back({"model", [](cell_result const& c) { return c.cell.model; }, true});
  columns_.push_back({"N", [](cell_result const& c) { return short_size(c.cell.n); }});
  if (std::any_of(cells_.begin(), cells_.end(), [&](cell_result const* c) {
        return c->cell.workers != cells_.front()->cell.workers;
      }))
    columns_.push_back({"W", [](cell_result const& c) { return std::to_string(c.cell.workers); }});
  metric const m = what_.figure;
  add(std::string(value_title(m)), [m](auto const& s) { return short_value(m, s.median); });
  add("", [this](auto const& s) {
    double const half = s.half_width() * 100;
    return half < 9.95 ? fmt::format("{}{:.1f}%", style_.plus_minus(), half)
                       : fmt::format("{}{:.0f}%", style_.plus_minus(), half);
  });
  bool const higher = higher_is_better(m);
  auto const relative = [this, higher](cell_result const& c) {
    rows same;
    for (cell_result const* other : cells_)
      if (other->cell.n == c.cell.n) same.push_back(other);
    double const best = best_of(same, higher);
    double const own = c.sum->median;
    double const part = higher ? own / best : best / own;
    return std::isfinite(part) ? part : 0.0;
  };
  auto const with_part = [relative](auto const& text) {
    return [relative, text](cell_result const& c) {
      return c.sum ? text(relative(c)) : std::string();
    };
  };
  columns_.push_back({"vs best", with_part([](double part) {
                        return part >= 0.095 || part <= 0 ? fmt::format("{:.2f}", part)
                                                          : fmt::format("1/{:.0f}", 1 / part);
                      })});
  columns_.push_back({"", with_part([this](double part) {
                        auto const text = bar(part, style_);
                        return part > 0.9995 ? style_.green(text) : text;
                      }),
                      true});
}

void table::add_detail_columns() {
  if (any([](auto const& s) { return s.latency.count() > 0; })) {
    for (auto const& [title, part] : {std::pair{"p50", 0.5}, std::pair{"p99", 0.99}})
      columns_.push_back({title, [q = part](cell_result const& c) {
                            return c.sum ? percentile(c, q) : std::string();
                          }});
    if (what_.figure == metric::lateness)
      add("max",
          [](auto const& s) { return short_time(static_cast<double>(s.latency.max_ns()) / 1e9); });
  }
  if (what_.figure == metric::lateness)
    columns_.push_back({"jobs/s", [](cell_result const& c) {
                          std::vector<double> rates;
                          for (rep_result const& r : c.reps)
                            if (auto const j = r.extra.find("jobs_per_s"); j != r.extra.end())
                              rates.push_back(j->second);
                          return rates.empty() || !c.sum ? std::string()
                                                         : short_count(median(rates));
                        }});
  double const scale = what_.figure == metric::bytes_per_second ? mebibyte : 1;
  std::string const per = scale > 1 ? "MiB" : std::string(what_.operation);
  if (what_.figure != metric::bytes_per_unit) {
    add("CPU/" + per, [scale](auto const& s) { return short_time(s.cpu_per_op_s * scale); });
    add("switches",
        [scale](auto const& s) { return fmt::format("{:.2f}", s.switches_per_op * scale); });
    add("CPUs", [](auto const& s) { return fmt::format("{:.2f}", s.cpus_busy); });
  } else {
    add("RSS", [](auto const& s) { return s.memory ? short_bytes(s.memory->rss) : ""; });
    add("kernel", [](auto const& s) {
      return s.memory ? short_bytes(s.memory->system() - s.memory->pss) : "";
    });
  }
}

std::string table::footnote(cell_result const& c) const {
  if (c.limit) return style_.dim(fmt::format("n/a  (limit: {})", c.limit->text()));
  if (!c.error.empty()) return style_.red("FAILED  " + c.error);
  if (!c.sum) return style_.dim("not run");
  return {};
}

std::string table::render() const {
  std::vector<std::size_t> widths;
  for (column const& col : columns_) {
    std::size_t width = columns(col.title);
    for (cell_result const* c : cells_)
      if (footnote(*c).empty() || widths.size() < 2) width = std::max(width, columns(col.text(*c)));
    widths.push_back(width);
  }
  auto const cell_text = [&](std::size_t i, std::string_view text) {
    return columns_[i].left ? pad_right(text, widths[i]) : pad_left(text, widths[i]);
  };
  std::string const direction =
      higher_is_better(what_.figure) ? "higher is better" : "lower is better";
  std::string out =
      fmt::format("\n{}   {}   {}\n ", style_.bold(what_.id), what_.title, style_.dim(direction));
  for (std::size_t i = 0; i < columns_.size(); ++i)
    out += " " + cell_text(i, columns_[i].title) + " ";
  while (out.back() == ' ') out.pop_back();
  out += '\n';
  for (cell_result const* c : cells_) {
    std::string const note = footnote(*c);
    std::string line = " ";
    for (std::size_t i = 0; i < (note.empty() ? columns_.size() : 2); ++i)
      line += " " + cell_text(i, columns_[i].text(*c)) + " ";
    if (!note.empty()) line += " " + note;
    while (line.back() == ' ') line.pop_back();
    out += line + '\n';
  }
  return out;
}

// At word boundaries; continuation lines are indented.
std::string wrap(std::string const& text, std::size_t width, std::size_t indent) {
  std::string out;
  std::size_t used = 0;
  for (std::size_t from = 0; from < text.size();) {
    std::size_t const space = std::min(text.find(' ', from), text.size());
    std::string_view const word = std::string_view(text).substr(from, space - from);
    if (used > 0 && used + 1 + columns(word) > width) {
      out += '\n' + std::string(indent, ' ');
      used = 0;
    } else if (used > 0) {
      out += ' ';
      ++used;
    }
    out += word;
    used += columns(word);
    from = space + 1;
  }
  return out;
}

}  // namespace

std::string render_header(bench_report const& report, look const& style) {
  environment const& e = report.env;
  std::string out = fmt::format(
      "{} {} ({}, {})   {}, {} CPU{}{}   kernel {}   driver {}   seed {}\n", style.bold("plait"),
      e.tool_version, e.compiler, e.build_type, e.cpu_model, e.cpus, e.cpus == 1 ? "" : "s",
      e.hypervisor.empty() ? "" : ", VM", e.kernel, e.driver, report.seed);
  for (warning const& w : report.warnings)
    out += fmt::format("  {} {}\n", style.yellow(pad_right(w.id, 10)), wrap(w.text, 87, 13));
  return out;
}

std::string render_tables(bench_report const& report, look const& style) {
  std::string out;
  for (workload const& w : workloads()) {
    rows cells;
    for (cell_result const& c : report.cells)
      if (c.cell.workload == w.id) cells.push_back(&c);
    if (!cells.empty()) out += table(w, std::move(cells), style).render();
  }
  if (!report.verdict.empty()) {
    out += '\n' + style.bold("Verdict") + '\n';
    for (std::string const& sentence : report.verdict) out += "  " + wrap(sentence, 98, 4) + '\n';
  }
  out += fmt::format(
      "\nmedians of {} repetitions in fresh processes, {}: 95% interval of the median\n",
      report.repetitions, style.plus_minus());
  if (report.interrupted) out += style.red("interrupted: these are partial results\n");
  out += fmt::format("again: {}\n", fmt::join(report.command, " "));
  return out;
}

}  // namespace plait::lab
