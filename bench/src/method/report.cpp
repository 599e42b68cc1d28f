#include "method/report.hpp"

#include <algorithm>

namespace plait::lab {

namespace {

template <class Get>
double median_of(std::vector<rep_result> const& reps, Get const& get) {
  std::vector<double> values;
  for (rep_result const& r : reps) values.push_back(get(r));
  return median(values);
}

unit_memory median_memory(std::vector<rep_result> const& reps) {
  auto const part = [&](double unit_memory::* member) {
    return median_of(reps, [&](rep_result const& r) { return r.memory ? (*r.memory).*member : 0; });
  };
  return {part(&unit_memory::rss),         part(&unit_memory::pss),
          part(&unit_memory::page_tables), part(&unit_memory::kernel_stacks),
          part(&unit_memory::slab),        part(&unit_memory::available)};
}

}  // namespace

std::vector<double> cell_result::values() const {
  std::vector<double> all;
  for (rep_result const& r : reps) all.push_back(r.value);
  return all;
}

double cell_result::summary::half_width() const {
  if (median == 0) return 0;
  return std::max(ci95.high - median, median - ci95.low) / std::abs(median);
}

std::optional<cell_result::summary> cell_result::summarise(std::uint64_t seed) const {
  if (reps.empty() || !error.empty()) return std::nullopt;
  auto const all = values();
  summary s;
  s.median = lab::median(all);
  s.ci95 = bootstrap_median(all, seed);
  s.outliers = tukey_outliers(all);
  auto const per_op = [](double amount, rep_result const& r) {
    return r.ops > 0 ? amount / r.ops : 0;
  };
  s.cpu_per_op_s = median_of(reps, [&](auto const& r) { return per_op(r.used.cpu_s(), r); });
  s.switches_per_op = median_of(reps, [&](auto const& r) { return per_op(r.used.switches(), r); });
  s.cpus_busy =
      median_of(reps, [](auto const& r) { return r.wall_s > 0 ? r.used.cpu_s() / r.wall_s : 0; });
  s.drift = median_of(reps, [](auto const& r) { return r.drift; });
  if (reps.front().memory) s.memory = median_memory(reps);
  for (rep_result const& r : reps) s.latency.merge(r.latency);
  return s;
}

bool bench_report::failed() const {
  return std::any_of(cells.begin(), cells.end(),
                     [](cell_result const& c) { return !c.error.empty(); });
}

}  // namespace plait::lab
