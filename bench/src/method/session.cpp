#include "method/session.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include <plait/driver.hpp>

#include "method/child.hpp"
#include "method/warnings.hpp"
#include "output/progress.hpp"
#include "output/verdict.hpp"
#include "workloads/files.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

double timeout_of(cell const& c) { return 20 + 10 * estimate(c); }

std::vector<std::string> environment_of(cell const& c, std::string const& files) {
  std::vector<std::string> variables;
  if (!files.empty()) variables.push_back(fmt::format("{}={}", file_corpus::variable, files));
  if (!c.driver().empty()) variables.push_back(fmt::format("PLAIT_DRIVER={}", c.driver()));
  return variables;
}

// One turn. A failure of any kind becomes the result's error.
rep_result run_repetition(cell const& c, std::string const& files, bool& was_interrupted) {
  rep_result result;
  try {
    child_end const end = run_child({"__rep", to_json(c)}, environment_of(c, files), timeout_of(c));
    was_interrupted = end.interrupted;
    if (!end.ok() || end.output.empty()) {
      result.error = end.reason();
      return result;
    }
    result = rep_from_json(end.output);
    result.process = end.spent;
    result.max_rss_kib = end.max_rss_kib;
  } catch (std::exception const& failure) {
    result.error = failure.what();
  }
  return result;
}

bool needs_uring(cell const& c) {
  return c.driver() == "io_uring" || c.model == "uring" ||
         (c.model == "asio" && c.workload == "io.files");
}

}  // namespace

void mark_refused_drivers(std::vector<planned_cell>& plan) {
  if (std::none_of(plan.begin(), plan.end(), [](auto const& p) { return needs_uring(p.cell); }))
    return;
  try {
    driver_options wish;
    wish.kind = driver_kind::io_uring;
    static_cast<void>(make_driver(wish));
  } catch (std::system_error const& refused) {
    auto const name = fmt::format("io_uring, {}; see plait doctor", refused.code().message());
    for (planned_cell& p : plan)
      if (needs_uring(p.cell) && !p.limit) p.limit = limit_hit{name, std::nan("")};
  }
}

bench_report run_bench(bench_options const& options, std::vector<planned_cell> const& plan,
                       std::vector<std::string> const& command) {
  bench_report report;
  report.env = probe_environment();
  report.command = command;
  report.seed = options.seed;
  report.repetitions = options.reps();
  report.warnings = machine_warnings(report.env);
  for (planned_cell const& p : plan) {
    cell_result& c = report.cells.emplace_back();
    c.cell = p.cell;
    c.limit = p.limit;
  }
  std::unique_ptr<file_corpus::owner> files;
  if (std::any_of(plan.begin(), plan.end(),
                  [](auto const& p) { return p.cell.workload == "io.files" && !p.limit; }))
    files = std::make_unique<file_corpus::owner>();

  auto const order = make_order(plan, options.reps(), options.seed);
  double total = 0;
  for (turn const& t : order) total += estimate(plan[t.cell].cell);
  machine_time const before = machine_time_now();
  {
    progress shown(options.progress, look_for(STDERR_FILENO, options.color), total);
    for (turn const& t : order) {
      cell_result& c = report.cells[t.cell];
      if (interrupted()) break;
      if (!c.error.empty()) {
        shown.turn_skipped(estimate(c.cell));
        continue;
      }
      shown.turn_begins(c, options.reps());
      bool stopped = false;
      rep_result r = run_repetition(c.cell, files ? files->folder() : "", stopped);
      if (stopped) break;
      c.error = r.error;
      if (r.error.empty()) c.reps.push_back(std::move(r));
      shown.turn_ends(c, options.reps(), estimate(c.cell));
    }
  }
  report.interrupted = interrupted();
  machine_time const after = machine_time_now();
  if (after.total > before.total)
    report.env.steal = (after.steal - before.steal) / (after.total - before.total);
  report.env.pressure_after = cpu_pressure();
  for (cell_result& c : report.cells) c.sum = c.summarise(options.seed);
  auto const more = run_warnings(report);
  report.warnings.insert(report.warnings.end(), more.begin(), more.end());
  report.verdict = make_verdict(report);
  return report;
}

int repetition_main(std::string const& cell_json) {
  die_with_parent();
  raise_descriptor_limit();
  rep_result result;
  try {
    cell const c = cell_from_json(cell_json);
    workload const* const what = find_workload(c.workload);
    model_entry const* const model = what ? what->find(c.model_name()) : nullptr;
    if (!model) throw std::runtime_error(c.label() + " does not exist");
    result = model->run(c);
  } catch (std::exception const& failure) {
    result = {};
    result.error = failure.what();
  }
  std::string const line = to_json(result) + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    ssize_t const n = ::write(result_fd, line.data() + sent, line.size() - sent);
    if (n <= 0) return 1;
    sent += static_cast<std::size_t>(n);
  }
  return 0;
}

}  // namespace plait::lab
