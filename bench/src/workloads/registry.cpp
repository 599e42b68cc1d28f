#include "workloads/workload.hpp"

namespace plait::lab {

bool higher_is_better(metric m) { return m == metric::per_second || m == metric::bytes_per_second; }

model_entry const* workload::find(std::string_view model) const {
  for (model_entry const& entry : models)
    if (entry.name == model) return &entry;
  return nullptr;
}

std::vector<workload> const& workloads() {
  static std::vector<workload> const all{io_sleepers(), io_echo(),       io_files(),   cpu_primes(),
                                         cpu_sha256(),  mix_heartbeat(), cost_await(), cost_yield(),
                                         cost_spawn(),  cost_memory()};
  return all;
}

workload const* find_workload(std::string_view id) {
  for (workload const& w : workloads())
    if (w.id == id) return &w;
  return nullptr;
}

}  // namespace plait::lab
