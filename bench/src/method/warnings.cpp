#include "method/warnings.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace plait::lab {

namespace {

// "a, b and 3 more" of the cells for which it is true; empty for none.
template <class Which>
std::string cells_where(bench_report const& report, Which const& which) {
  std::vector<std::string> names;
  for (cell_result const& c : report.cells)
    if (which(c)) names.push_back(c.cell.label());
  if (names.empty()) return {};
  std::size_t const shown = std::min<std::size_t>(names.size(), 3);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<long>(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

double highest_extra(cell_result const& c, std::string const& name) {
  double highest = 0;
  for (rep_result const& r : c.reps)
    if (auto const at = r.extra.find(name); at != r.extra.end())
      highest = std::max(highest, at->second);
  return highest;
}

}  // namespace

std::vector<warning> machine_warnings(environment const& env) {
  std::vector<warning> list;
  auto const warn = [&](char const* id, std::string text) {
    list.push_back({id, std::move(text)});
  };
  if (env.sanitized || !env.optimised)
    warn("W-DEBUG", env.sanitized
                        ? "built with a sanitizer: use the preset release for figures"
                        : "built without optimisation: use the preset release for figures");
  if (!env.hypervisor.empty())
    warn("W-VM", fmt::format("virtual machine ({}): neighbours on the host show in the figures",
                             env.hypervisor));
  if (env.pressure_before > 5)
    warn("W-PSI", fmt::format("CPU pressure {:.0f}% in the last 10 s: close other programs",
                              env.pressure_before));
  if (env.load_before > 0.7 * env.cpus)
    warn("W-LOAD", fmt::format("load average {:.1f} on {} CPUs: something else is running",
                               env.load_before, env.cpus));
  if (!env.governor.empty() && env.governor != "performance")
    warn("W-GOVERNOR", fmt::format("CPU governor is {}: set performance (cpupower frequency-set -g "
                                   "performance)",
                                   env.governor));
  if (env.turbo) warn("W-TURBO", "turbo is on: the clock depends on how many cores are busy");
  if (env.smt) warn("W-SMT", "hyper-threads share cores: two busy CPUs may be one core");
  if (env.driver == "epoll")
    warn("W-FALLBACK",
         fmt::format("io_uring is not used: {} (plait doctor says more)", env.driver_reason));
  return list;
}

std::vector<warning> run_warnings(bench_report const& report) {
  std::vector<warning> list;
  auto const warn = [&](char const* id, std::string text) {
    list.push_back({id, std::move(text)});
  };
  if (report.env.steal > 0.01)
    warn("W-STEAL", fmt::format("the host took {:.1f}% of the CPU time: run again when it is quiet",
                                report.env.steal * 100));
  if (report.repetitions < 5)
    warn("W-FEW", fmt::format("{} repetitions: too few for an interval to mean much (-r 10)",
                              report.repetitions));
  if (auto const which = cells_where(
          report, [](auto const& c) { return c.cell.window_s < 0.1 && !c.reps.empty(); });
      !which.empty())
    warn("W-SHORT", "windows below 100 ms: give more time (-d 250ms)");
  if (auto const which =
          cells_where(report, [](auto const& c) { return c.sum && std::abs(c.sum->drift) > 0.05; });
      !which.empty())
    warn("W-DRIFT", fmt::format("rate changed by more than 5% within the window in {}: longer "
                                "warm-up (--warmup 1s)",
                                which));
  if (auto const which =
          cells_where(report, [](auto const& c) { return c.sum && c.sum->outliers.severe > 0; });
      !which.empty())
    warn("W-OUTLIERS",
         fmt::format("severe outliers, kept, in {}: the machine was disturbed", which));
  if (auto const which = cells_where(report, [](auto const& c) { return c.limit.has_value(); });
      !which.empty())
    warn("W-LIMIT", fmt::format("beyond a limit of this machine: {}", which));
  bool const echo = std::any_of(report.cells.begin(), report.cells.end(), [](auto const& c) {
    return c.cell.workload == "io.echo" && c.sum;
  });
  if (echo) {
    warn("W-CLOSED", "io.echo is a closed loop: its tail is no latency under a given load");
    warn("W-SHARED", report.env.cpus < 2
                         ? "client and server of io.echo share one CPU"
                         : "client and server of io.echo share this machine: server "
                           "on CPU 0, client on CPU 1");
  }
  if (auto const which =
          cells_where(report, [](auto const& c) { return highest_extra(c, "client_cpu") > 0.8; });
      !which.empty())
    warn("W-CLIENT", fmt::format("the load generator was busy over 80% in {}: compare CPU per "
                                 "message, not the rate",
                                 which));
  return list;
}

}  // namespace plait::lab
