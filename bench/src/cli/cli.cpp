#include "cli/cli.hpp"

#include <algorithm>
#include <exception>
#include <random>
#include <stdexcept>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <plait/driver.hpp>

#include "build_info.hpp"
#include "cli/echo_commands.hpp"
#include "doctor/doctor.hpp"
#include "method/child.hpp"
#include "method/session.hpp"
#include "output/json_output.hpp"
#include "output/table.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

constexpr int exit_error = 1;
constexpr int exit_usage = 2;
constexpr int exit_interrupted = 130;

// The texts as CLI11 hands them over, before they mean anything.
struct raw_options {
  std::string models, sizes, workers, drivers, window, warmup;
  bool quick = false, smoke = false, full = false, no_color = false, no_progress = false;
};

void declare_bench(CLI::App& app, bench_options& options, raw_options& raw) {
  app.add_option("workload", options.selection, "workloads or groups (see --list); none: the tour")
      ->type_name("WORKLOAD|GROUP");
  app.add_option("-m,--model", raw.models, "only these models: coro,thread,pool,...")
      ->type_name("LIST");
  app.add_option("-N,--concurrency", raw.sizes, "units at once: 10,1k,100k")->type_name("LIST");
  app.add_option("-w,--workers", raw.workers, "workers of pools: 1,2,4 [CPUs]")->type_name("LIST");
  app.add_option("-d,--duration", raw.window, "measured window of a repetition [1s]")
      ->type_name("TIME");
  app.add_option("--warmup", raw.warmup, "time before the window [250ms]")->type_name("TIME");
  app.add_option("-r,--reps", options.repetitions, "repetitions of each cell [10]")
      ->check(CLI::Range(1, 1000));
  auto* quick = app.add_flag("--quick", raw.quick, "the tour: about a minute (7 x 250 ms)");
  auto* smoke = app.add_flag("--smoke", raw.smoke, "does everything run: under 10 s");
  auto* full = app.add_flag("--full", raw.full, "all workloads, models and sizes: under 3 hours");
  quick->excludes(smoke)->excludes(full);
  smoke->excludes(full);
  app.add_option("--driver", raw.drivers, "for plait's own I/O: auto,io_uring,epoll [auto]")
      ->type_name("LIST");
  app.add_option("--seed", options.seed, "order of the run and its data [drawn]")
      ->check(CLI::PositiveNumber);
  app.add_option("--json", options.json_path, "write the results, all repetitions, to FILE")
      ->type_name("FILE");
  app.add_flag("--list", options.list, "workloads, models and sizes");
  app.add_flag("--dry-run", options.dry_run, "the matrix and the time it takes");
  app.add_flag("--no-color", raw.no_color, "plain text (also: NO_COLOR)");
  app.add_flag("--no-progress", raw.no_progress, "nothing on standard error but errors");
}

void interpret(bench_options& options, raw_options const& raw, bool no_arguments) {
  if (!raw.models.empty()) options.models = split_list(raw.models);
  if (!raw.drivers.empty()) options.drivers = split_list(raw.drivers);
  if (!raw.sizes.empty())
    for (auto const& part : split_list(raw.sizes)) options.sizes.push_back(parse_count(part));
  if (!raw.workers.empty())
    for (auto const& part : split_list(raw.workers)) {
      long const count = parse_count(part);
      if (count > 1024)
        throw usage_error(fmt::format("{} workers are too many (at most 1024)", count));
      options.workers.push_back(static_cast<int>(count));
    }
  if (!raw.window.empty()) options.window_s = parse_duration(raw.window);
  if (!raw.warmup.empty()) options.warmup_s = parse_duration(raw.warmup);
  if (options.window_s && (*options.window_s < 0.001 || *options.window_s > 600))
    throw usage_error("--duration must be between 1ms and 600s");
  if (options.warmup_s && *options.warmup_s > 600)
    throw usage_error("--warmup must be at most 600s");
  if (raw.full) options.preset = preset::full;
  if (raw.smoke) options.preset = preset::smoke;
  if (raw.quick || no_arguments) options.preset = preset::quick;
  options.color = !raw.no_color;
  options.progress = !raw.no_progress;
}

// A bench without a choice of workloads is the tour, unless another preset was asked for.
bool is_tour(bench_options const& options) {
  return options.selection.empty() && options.preset == preset::normal && !options.list;
}

void print_list() {
  for (workload const& w : workloads()) {
    std::vector<std::string> sizes;
    for (long const n : w.sizes) sizes.push_back(short_size(n));
    std::vector<std::string_view> models;
    for (model_entry const& m : w.models) models.push_back(m.name);
    fmt::print("{:14} {}\n{:14} models {}; N {}\n", w.id, w.title, "", fmt::join(models, ", "),
               fmt::join(sizes, ", "));
  }
}

void print_plan(bench_options const& options, std::vector<planned_cell> const& plan) {
  double total = 0;
  for (planned_cell const& p : plan) {
    std::string const note = p.limit
                                 ? fmt::format("n/a (limit: {})", p.limit->text())
                                 : fmt::format("about {:.1f} s", estimate(p.cell) * options.reps());
    if (!p.limit) total += estimate(p.cell) * options.reps();
    fmt::print("{:14} {:14} N={:6} workers={}  {}\n", p.cell.workload, p.cell.model,
               short_size(p.cell.n), p.cell.workers, note);
  }
  fmt::print("{} cells x {} repetitions, about {:.0f} s\n", plan.size(), options.reps(), total);
}

int bench_command(std::vector<std::string> const& arguments) {
  bench_options options = parse_bench(arguments);
  if (options.list) {
    print_list();
    return 0;
  }
  try {
    static_cast<void>(choose_driver());
  } catch (std::invalid_argument const& e) {
    throw usage_error(e.what());  // PLAIT_DRIVER is neither
  }
  if (options.seed == 0) options.seed = std::random_device()() | 1u;
  raise_descriptor_limit();
  auto plan = make_plan(options, probe_limits(), usable_cpus());
  mark_refused_drivers(plan);
  if (options.dry_run) {
    print_plan(options, plan);
    return 0;
  }
  watch_interrupts();
  bench_report const report = run_bench(options, plan, repeat_command(arguments, options.seed));
  look const style = look_for(STDOUT_FILENO, options.color);
  fmt::print("{}{}", render_header(report, style), render_tables(report, style));
  if (!options.json_path.empty()) {
    write_file(options.json_path, render_json(report));
    fmt::print("saved {}\n", options.json_path);
  }
  if (report.interrupted) return exit_interrupted;
  return report.failed() ? exit_error : 0;
}

constexpr char const* help_text = R"(usage: plait COMMAND [OPTIONS]

  bench [WORKLOAD|GROUP ...]   the same job as coroutines, threads and processes, measured;
                               without arguments the tour, about a minute (plait bench --help)
  doctor [--json]              this machine, its limits, and which driver plait chooses and why
  --version                    version, commit, compiler
  --help                       this text
)";

int version_command() {
  fmt::print("plait {} ({})\n{} {}, {}{}\n", build_info::version, build_info::git_hash,
             build_info::compiler, build_info::flags, build_info::build_type,
             build_info::sanitized ? ", sanitized" : "");
  return 0;
}

int dispatch(std::vector<std::string> const& arguments) {
  std::string const command = arguments.empty() ? "--help" : arguments.front();
  std::vector<std::string> const rest(arguments.empty() ? arguments.end() : arguments.begin() + 1,
                                      arguments.end());
  if (command == "bench") return bench_command(rest);
  if (command == "doctor") return doctor_command(rest);
  if (command == "--version" || command == "version") return version_command();
  if (command == "--help" || command == "-h" || command == "help") {
    fmt::print("{}", help_text);
    return arguments.empty() ? exit_usage : 0;
  }
  if (command == "__rep" && rest.size() == 1) return repetition_main(rest[0]);
  if (command == "__serve-echo") return serve_echo_command(rest);
  if (command == "__load-echo") return load_echo_command(rest);
  throw usage_error(
      fmt::format("there is no command '{}'; there are bench, doctor, --version, --help", command));
}

}  // namespace

bench_options parse_bench(std::vector<std::string> const& arguments) {
  bench_options options;
  raw_options raw;
  CLI::App app("The same job as coroutines, threads and processes, measured.", "plait bench");
  declare_bench(app, options, raw);
  auto reversed = arguments;
  std::reverse(reversed.begin(), reversed.end());
  try {
    app.parse(reversed);
  } catch (CLI::CallForHelp const&) {
    throw;
  } catch (CLI::ParseError const& e) {
    throw usage_error(e.what());
  }
  interpret(options, raw, arguments.empty());
  if (is_tour(options)) options.preset = preset::quick;
  return options;
}

std::vector<std::string> repeat_command(std::vector<std::string> const& arguments,
                                        std::uint64_t seed) {
  std::vector<std::string> command{"plait", "bench"};
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--seed") {
      ++i;
    } else if (!arguments[i].starts_with("--seed=")) {
      command.push_back(arguments[i]);
    }
  }
  command.push_back("--seed");
  command.push_back(std::to_string(seed));
  return command;
}

int main_of_lab(int argc, char** argv) {
  std::vector<std::string> const arguments(argv + 1, argv + argc);
  try {
    return dispatch(arguments);
  } catch (CLI::CallForHelp const&) {
    bench_options options;
    raw_options raw;
    CLI::App app("The same job as coroutines, threads and processes, measured.", "plait bench");
    declare_bench(app, options, raw);
    fmt::print("{}", app.help());
    return 0;
  } catch (usage_error const& e) {
    fmt::print(stderr, "plait: {}\n", e.what());
    return exit_usage;
  } catch (std::exception const& e) {
    fmt::print(stderr, "plait: {}\n", e.what());
    return exit_error;
  }
}

}  // namespace plait::lab
