#include "output/verdict.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "output/format.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

using cells = std::vector<std::size_t>;

struct group {
  workload const* what = nullptr;
  long n = 0;
  cells ran;      // best median first
  cells limited;  // beyond a limit of the machine
};

std::vector<group> groups_of(bench_report const& report) {
  std::vector<group> groups;
  for (std::size_t i = 0; i < report.cells.size(); ++i) {
    cell_result const& c = report.cells[i];
    workload const* what = find_workload(c.cell.workload);
    if (!what) continue;
    auto at = std::find_if(groups.begin(), groups.end(),
                           [&](group const& g) { return g.what == what && g.n == c.cell.n; });
    if (at == groups.end()) at = groups.insert(groups.end(), group{what, c.cell.n, {}, {}});
    if (c.sum) at->ran.push_back(i);
    if (c.limit) at->limited.push_back(i);
  }
  for (group& g : groups) {
    bool const higher = higher_is_better(g.what->figure);
    std::sort(g.ran.begin(), g.ran.end(), [&](std::size_t a, std::size_t b) {
      double const x = report.cells[a].sum->median;
      double const y = report.cells[b].sum->median;
      return x == y ? a < b : (higher ? x > y : x < y);
    });
  }
  return groups;
}

std::vector<double> cpu_per_op(cell_result const& c) {
  std::vector<double> values;
  for (rep_result const& r : c.reps) values.push_back(r.ops > 0 ? r.used.cpu_s() / r.ops : 0);
  return values;
}

double smallest_possible_p(std::size_t a, std::size_t b) {
  return smallest_p(static_cast<int>(std::min(a, b)));
}

difference judge(double ratio, double p, double smallest) {
  if (smallest > significance) return difference::too_few;
  if (p >= significance) return difference::not_shown;
  return std::abs(ratio - 1) <= noise_margin ? difference::within_noise : difference::shown;
}

double safe_ratio(double a, double b) { return b > 0 && a > 0 ? a / b : 1; }

class writer {
 public:
  writer(bench_report const& report, std::vector<comparison> const& all)
      : report_(report), all_(all) {
    std::map<std::pair<std::string, std::string>, std::set<int>> workers;
    for (cell_result const& c : report.cells)
      workers[{c.cell.workload, c.cell.model}].insert(c.cell.workers);
    for (auto const& [key, counts] : workers) many_workers_ |= counts.size() > 1;
  }

  std::string sentence(group const& g) const;

 private:
  std::string name(std::size_t i) const {
    cell const& c = report_.cells[i].cell;
    return many_workers_ ? fmt::format("{} w={}", c.model, c.workers) : c.model;
  }
  comparison const* find(std::size_t a, std::size_t b) const {
    for (comparison const& c : all_)
      if (c.a == a && c.b == b) return &c;
    return nullptr;
  }
  struct standing {
    cells losers, peers;
    std::vector<std::pair<std::string, double>> beaten;
    std::vector<std::string> equal;
    double equal_p = 1;
    bool close = false;  // some peer is within noise_margin
    bool few = false;
  };
  standing compare(group const& g) const;
  std::string limits(group const& g) const;
  std::string reason(group const& g, std::size_t best, cells const& others) const;
  static std::string ahead(metric m, std::vector<std::pair<std::string, double>> const& beaten);

  bench_report const& report_;
  std::vector<comparison> const& all_;
  bool many_workers_ = false;
};

std::string writer::limits(group const& g) const {
  if (g.limited.empty()) return {};
  std::vector<std::string> parts;
  for (std::size_t const i : g.limited)
    parts.push_back(fmt::format("{} cannot ({})", name(i), report_.cells[i].limit->text()));
  return fmt::format("{}", fmt::join(parts, ", "));
}

// "1.5x thread, 2.3x process", or how much more the others take.
std::string writer::ahead(metric m, std::vector<std::pair<std::string, double>> const& beaten) {
  std::vector<std::string> parts;
  for (auto const& [name, ratio] : beaten)
    parts.push_back(higher_is_better(m) ? fmt::format("{} {}", short_ratio(ratio), name)
                                        : fmt::format("{} {}", name, short_ratio(ratio)));
  std::string const list = fmt::format("{}", fmt::join(parts, ", "));
  switch (m) {
    case metric::per_second:
    case metric::bytes_per_second:
      return list;
    case metric::time_per_op:
      return list + " the time";
    case metric::lateness:
      return list + " as late";
    case metric::bytes_per_unit:
      return list + " the memory";
  }
  return list;
}

// The first cause that the figures themselves show: more CPUs at work, less CPU for each
// operation, or the parts of the memory.
std::string writer::reason(group const& g, std::size_t best, cells const& others) const {
  auto const& top = *report_.cells[best].sum;
  for (std::size_t const i : others) {
    auto const& s = *report_.cells[i].sum;
    if (g.what->figure == metric::bytes_per_unit && s.memory)
      return fmt::format("a {}'s {} are {} of its own, {} kernel stack, {} page tables, {} slab",
                         name(i), short_bytes(s.memory->system()), short_bytes(s.memory->pss),
                         short_bytes(s.memory->kernel_stacks), short_bytes(s.memory->page_tables),
                         short_bytes(s.memory->slab));
  }
  for (std::size_t const i : others) {
    auto const& s = *report_.cells[i].sum;
    if (g.what->figure != metric::lateness && top.cpus_busy >= 1.3 * s.cpus_busy &&
        top.cpus_busy > 1.1)
      return fmt::format("it keeps {:.1f} CPUs busy, {} {:.1f}", top.cpus_busy, name(i),
                         s.cpus_busy);
  }
  for (auto i = others.rbegin(); i != others.rend(); ++i) {
    comparison const* c = find(best, *i);
    if (c && c->cpu == difference::shown && c->cpu_ratio >= 1.1)
      return fmt::format("{} takes {} less CPU per {} than {}", name(best),
                         short_ratio(c->cpu_ratio), g.what->operation, name(*i));
  }
  if (g.what->figure == metric::lateness)
    return "its jobs run beside the loop, which stays free for the tick";
  return {};
}

// How the best model stands to the others of its group.
writer::standing writer::compare(group const& g) const {
  standing s;
  for (std::size_t k = 1; k < g.ran.size(); ++k) {
    comparison const* c = find(g.ran.front(), g.ran[k]);
    if (!c) continue;
    s.few |= c->figure == difference::too_few;
    if (c->figure == difference::shown) {
      s.losers.push_back(g.ran[k]);
      s.beaten.emplace_back(name(g.ran[k]), c->ratio);
    } else {
      s.peers.push_back(g.ran[k]);
      s.equal.push_back(name(g.ran[k]));
      if (c->figure == difference::within_noise) {
        s.close = true;
      } else {
        s.equal_p = std::min(s.equal_p, c->p);
      }
    }
  }
  return s;
}

std::string writer::sentence(group const& g) const {
  std::string const size =
      g.what->sizes == std::vector<long>{1} ? std::string() : " N=" + short_size(g.n);
  std::string const title = fmt::format("{}{}: ", g.what->id, size);
  std::string const beyond = limits(g);
  if (g.ran.empty()) return beyond.empty() ? std::string() : title + beyond + ".";
  std::string const best = name(g.ran.front());
  if (g.ran.size() == 1)
    return beyond.empty() ? std::string() : title + best + " alone can: " + beyond + ".";
  std::string const end = beyond.empty() ? "." : "; " + beyond + ".";
  standing const s = compare(g);
  if (s.few) return beyond.empty() ? std::string() : title + beyond + ".";
  std::string text = title;
  if (s.peers.empty()) {
    text += fmt::format("{} wins: {}", best, ahead(g.what->figure, s.beaten));
  } else {
    std::string const doubt = s.equal_p < 1 ? fmt::format("p >= {:.2g}", s.equal_p) : "p = 1";
    text += fmt::format("no difference shown between {} and {} ({})", best,
                        fmt::join(s.equal, ", "), s.close ? "within 2%" : doubt);
    if (!s.beaten.empty())
      text += fmt::format("; {} is ahead: {}", best, ahead(g.what->figure, s.beaten));
  }
  cells everybody = s.losers;
  everybody.insert(everybody.end(), s.peers.begin(), s.peers.end());
  if (auto const why = reason(g, g.ran.front(), everybody); !why.empty()) text += "; " + why;
  return text + end;
}

}  // namespace

std::vector<comparison> compare_cells(bench_report const& report) {
  std::vector<comparison> all;
  std::vector<double> figure_p;
  std::vector<double> cpu_p;
  for (group const& g : groups_of(report)) {
    bool const higher = higher_is_better(g.what->figure);
    for (std::size_t i = 0; i < g.ran.size(); ++i)
      for (std::size_t k = i + 1; k < g.ran.size(); ++k) {
        cell_result const& a = report.cells[g.ran[i]];
        cell_result const& b = report.cells[g.ran[k]];
        comparison c;
        c.a = g.ran[i];
        c.b = g.ran[k];
        c.ratio = higher ? safe_ratio(a.sum->median, b.sum->median)
                         : safe_ratio(b.sum->median, a.sum->median);
        c.cpu_ratio = safe_ratio(b.sum->cpu_per_op_s, a.sum->cpu_per_op_s);
        all.push_back(c);
        figure_p.push_back(mann_whitney_p(a.values(), b.values()));
        cpu_p.push_back(mann_whitney_p(cpu_per_op(a), cpu_per_op(b)));
      }
  }
  figure_p = holm(figure_p);
  cpu_p = holm(cpu_p);
  for (std::size_t i = 0; i < all.size(); ++i) {
    comparison& c = all[i];
    c.p = figure_p[i];
    c.cpu_p = cpu_p[i];
    double const least =
        smallest_possible_p(report.cells[c.a].reps.size(), report.cells[c.b].reps.size()) *
        static_cast<double>(all.size());
    c.figure = judge(c.ratio, c.p, least);
    c.cpu = judge(c.cpu_ratio, c.cpu_p, least);
  }
  return all;
}

std::vector<std::string> make_verdict(bench_report const& report) {
  auto const all = compare_cells(report);
  writer const w(report, all);
  std::vector<std::string> sentences;
  for (group const& g : groups_of(report))
    if (auto text = w.sentence(g); !text.empty()) sentences.push_back(std::move(text));
  if (std::any_of(all.begin(), all.end(),
                  [](comparison const& c) { return c.figure == difference::too_few; })) {
    int const needed = repetitions_needed(static_cast<int>(all.size()));
    sentences.push_back(
        fmt::format("too few repetitions ({}) to tell models apart: with {} comparisons this table "
                    "needs >= {} runs (-r).",
                    report.repetitions, all.size(), needed));
  }
  return sentences;
}

}  // namespace plait::lab
