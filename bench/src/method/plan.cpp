#include "method/plan.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "method/rng.hpp"
#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

struct tour_cell {
  std::string_view workload;
  std::string_view model;
  long n;
};

// At most 24 cells: each question once, with the models whose contrast answers it.
constexpr std::array tour_cells{
    tour_cell{"io.sleepers", "coro", 1'000},     tour_cell{"io.sleepers", "thread", 1'000},
    tour_cell{"io.sleepers", "process", 1'000},  tour_cell{"io.sleepers", "coro", 100'000},
    tour_cell{"io.sleepers", "thread", 100'000}, tour_cell{"io.echo", "coro", 100},
    tour_cell{"io.echo", "thread", 100},         tour_cell{"io.echo", "asio", 100},
    tour_cell{"io.echo", "epoll", 100},          tour_cell{"io.files", "coro", 64},
    tour_cell{"io.files", "thread", 64},         tour_cell{"cpu.primes", "inline", 16},
    tour_cell{"cpu.primes", "coro", 16},         tour_cell{"cpu.primes", "pool", 16},
    tour_cell{"cpu.sha256", "inline", 16},       tour_cell{"cpu.sha256", "pool", 16},
    tour_cell{"cpu.sha256", "ppool", 16},        tour_cell{"mix.heartbeat", "coro", 1},
    tour_cell{"mix.heartbeat", "pool", 1},       tour_cell{"cost.spawn", "coro", 1},
    tour_cell{"cost.spawn", "thread", 1},        tour_cell{"cost.spawn", "process", 1},
    tour_cell{"cost.memory", "coro", 10'000},    tour_cell{"cost.memory", "thread", 10'000},
};
static_assert(tour_cells.size() <= 24);

constexpr std::array smoke_cells{
    tour_cell{"io.sleepers", "coro", 100}, tour_cell{"io.sleepers", "thread", 100},
    tour_cell{"io.echo", "coro", 10},      tour_cell{"io.echo", "epoll", 10},
    tour_cell{"io.files", "coro", 8},      tour_cell{"cpu.primes", "inline", 4},
    tour_cell{"cpu.primes", "pool", 4},    tour_cell{"cpu.sha256", "ppool", 2},
    tour_cell{"mix.heartbeat", "pool", 1}, tour_cell{"cost.spawn", "coro", 1},
    tour_cell{"cost.spawn", "thread", 1},  tour_cell{"cost.memory", "coro", 1'000},
};

std::string_view group_of(std::string_view id) { return id.substr(0, id.find('.')); }

bool matches(workload const& w, std::string_view name) {
  return name == w.id || name == "all" || name == group_of(w.id) ||
         (name == "mixed" && group_of(w.id) == "mix");
}

void check_names(bench_options const& options) {
  for (std::string const& name : options.selection)
    if (std::none_of(workloads().begin(), workloads().end(),
                     [&](workload const& w) { return matches(w, name); }))
      throw usage_error(fmt::format("no workload or group is called '{}'; there are {}", name,
                                    known_workloads()));
  std::set<std::string_view> models;
  for (workload const& w : workloads())
    for (model_entry const& m : w.models) models.insert(m.name);
  for (std::string const& name : options.models)
    if (!models.contains(name))
      throw usage_error(
          fmt::format("no model is called '{}'; there are {}", name, fmt::join(models, ", ")));
  for (std::string const& name : options.drivers)
    if (name != "auto" && name != "io_uring" && name != "epoll")
      throw usage_error(
          fmt::format("no driver is called '{}'; there are auto, io_uring, epoll", name));
}

class planner {
 public:
  planner(bench_options const& options, machine_limits const& limits, int cpus)
      : options_(options), limits_(limits), cpus_(cpus) {}

  void add(workload const& w, model_entry const& model, long n) {
    std::vector<int> workers = options_.workers;
    // The loop of the heartbeat wants a CPU for itself.
    if (workers.empty()) workers = {w.figure == metric::lateness ? std::max(1, cpus_ - 1) : cpus_};
    if (!uses_workers(w, model)) workers.resize(1);
    std::vector<std::string> drivers = options_.drivers;
    if (drivers.empty() || !model.on_driver) drivers = {"auto"};
    for (std::string const& driver : drivers)
      for (int const count : workers) {
        cell c{.workload = std::string(w.id),
               .model = std::string(model.name) + (driver == "auto" ? "" : "/" + driver),
               .n = n,
               .workers = count,
               .window_s = options_.window(),
               .warmup_s = options_.warmup(),
               .seed = options_.seed};
        auto limit = model.needs ? find_limit(model.needs(c), limits_) : std::nullopt;
        plan_.push_back({std::move(c), std::move(limit)});
      }
  }

  bool wanted(std::string_view model) const {
    return options_.models.empty() || std::find(options_.models.begin(), options_.models.end(),
                                                model) != options_.models.end();
  }

  std::vector<planned_cell> take() { return std::move(plan_); }

 private:
  static bool uses_workers(workload const& w, model_entry const& model) {
    return model.name == "pool" || model.name == "ppool" || w.figure == metric::lateness;
  }

  bench_options const& options_;
  machine_limits const& limits_;
  int cpus_;
  std::vector<planned_cell> plan_;
};

template <class Cells>
void add_listed(planner& p, Cells const& cells) {
  for (tour_cell const& t : cells) {
    workload const& w = *find_workload(t.workload);
    if (model_entry const* m = w.find(t.model); m && p.wanted(t.model)) p.add(w, *m, t.n);
  }
}

}  // namespace

std::vector<planned_cell> make_plan(bench_options const& options, machine_limits const& limits,
                                    int cpus) {
  check_names(options);
  planner p(options, limits, cpus);
  bool const free_choice = options.selection.empty() && options.sizes.empty();
  if (free_choice && options.preset == preset::quick) {
    add_listed(p, tour_cells);
  } else if (free_choice && options.preset == preset::smoke) {
    add_listed(p, smoke_cells);
  } else {
    for (workload const& w : workloads()) {
      bool const chosen = options.selection.empty() ||
                          std::any_of(options.selection.begin(), options.selection.end(),
                                      [&](std::string const& name) { return matches(w, name); });
      if (!chosen) continue;
      std::vector<long> sizes = options.preset == preset::full ? w.full_sizes : w.sizes;
      if (!options.sizes.empty() && w.sizes != std::vector<long>{1}) sizes = options.sizes;
      for (long const n : sizes)
        for (model_entry const& m : w.models)
          if (p.wanted(m.name)) p.add(w, m, n);
    }
  }
  auto plan = p.take();
  if (plan.empty())
    throw usage_error(
        fmt::format("none of the chosen workloads has a model {}; see plait bench --list",
                    fmt::join(options.models, ", ")));
  return plan;
}

std::vector<turn> make_order(std::vector<planned_cell> const& plan, int repetitions,
                             std::uint64_t seed) {
  std::vector<turn> order;
  for (std::size_t i = 0; i < plan.size(); ++i)
    for (int r = 0; r < repetitions && !plan[i].limit; ++r) order.push_back({i, r});
  rng(seed).shuffle(order);
  return order;
}

double estimate(cell const& c) {
  double const n = static_cast<double>(c.n);
  double const unit = c.model == "process" ? 300e-6 : c.model == "thread" ? 40e-6 : 1e-6;
  double const start = 0.03;
  if (c.workload == "cost.memory") return start + 2 * n * unit;
  if (c.workload == "io.sleepers") {
    double const batch = 0.1 + n * unit;
    return start + std::max(batch, c.warmup_s) + std::max(batch, c.window_s + batch / 2);
  }
  if (c.workload == "io.echo") return start + 0.05 + c.warmup_s + c.window_s + n * 40e-6;
  return start + c.warmup_s + c.window_s;
}

std::string known_workloads() {
  std::vector<std::string_view> ids;
  std::vector<std::string_view> groups;
  for (workload const& w : workloads()) {
    ids.push_back(w.id);
    if (groups.empty() || groups.back() != group_of(w.id)) groups.push_back(group_of(w.id));
  }
  return fmt::format("{}; groups: {}, all", fmt::join(ids, ", "), fmt::join(groups, ", "));
}

}  // namespace plait::lab
