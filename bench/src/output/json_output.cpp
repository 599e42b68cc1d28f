#include "output/json_output.hpp"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>

#include <nlohmann/json.hpp>

#include "workloads/workload.hpp"

namespace plait::lab {

namespace {

using nlohmann::json;

char const* metric_name(metric m) {
  switch (m) {
    case metric::per_second:
      return "ops_per_second";
    case metric::bytes_per_second:
      return "bytes_per_second";
    case metric::time_per_op:
      return "seconds_per_op";
    case metric::lateness:
      return "mean_lateness_seconds";
    case metric::bytes_per_unit:
      return "bytes_per_unit";
  }
  return "";
}

json memory_json(unit_memory const& m) {
  return {{"system", m.system()},
          {"rss", m.rss},
          {"pss", m.pss},
          {"page_tables", m.page_tables},
          {"kernel_stacks", m.kernel_stacks},
          {"slab", m.slab},
          {"available", m.available}};
}

json latency_json(histogram const& h) {
  json j{{"count", h.count()}, {"max_ns", h.max_ns()}, {"mean_ns", h.mean_ns()}};
  for (auto const& [name, q] : {std::pair{"p50_ns", 0.5}, std::pair{"p90_ns", 0.9},
                                std::pair{"p99_ns", 0.99}, std::pair{"p999_ns", 0.999}})
    if (auto const value = h.percentile_ns(q)) j[name] = *value;
  return j;
}

json rep_json(rep_result const& r) {
  json j{{"value", r.value},
         {"ops", r.ops},
         {"wall_s", r.wall_s},
         {"user_s", r.used.user_s},
         {"sys_s", r.used.system_s},
         {"nvcsw", r.used.voluntary},
         {"nivcsw", r.used.involuntary},
         {"drift", r.drift},
         {"process_cpu_s", r.process.cpu_s()},
         {"maxrss_kb", r.max_rss_kib},
         {"extra", json::object()}};
  for (auto const& [key, value] : r.extra) j["extra"][key] = value;
  if (r.memory) j["memory"] = memory_json(*r.memory);
  if (r.latency.count() > 0) j["hist"] = r.latency.buckets();
  return j;
}

json cell_json(cell_result const& c) {
  workload const* const what = find_workload(c.cell.workload);
  json j{{"workload", c.cell.workload},
         {"model", c.cell.model},
         {"n", c.cell.n},
         {"workers", c.cell.workers},
         {"metric", what ? metric_name(what->figure) : ""},
         {"higher_is_better", what && higher_is_better(what->figure)},
         {"params", {{"window_s", c.cell.window_s}, {"warmup_s", c.cell.warmup_s}}},
         {"reps", json::array()}};
  for (rep_result const& r : c.reps) j["reps"].push_back(rep_json(r));
  if (c.limit) j["na"] = {{"reason", "limit"}, {"limit", c.limit->text()}};
  if (!c.error.empty()) j["error"] = c.error;
  if (c.sum) {
    auto const& s = *c.sum;
    j["median"] = s.median;
    j["ci95"] = {s.ci95.low, s.ci95.high};
    j["outliers"] = {{"mild", s.outliers.mild}, {"severe", s.outliers.severe}};
    j["cpu_s_per_op"] = s.cpu_per_op_s;
    j["switches_per_op"] = s.switches_per_op;
    j["cpus_busy"] = s.cpus_busy;
    if (s.memory) j["memory"] = memory_json(*s.memory);
    if (s.latency.count() > 0) j["latency"] = latency_json(s.latency);
  }
  return j;
}

json tool_json(environment const& e) {
  return {{"version", e.tool_version}, {"git", e.git_hash},          {"compiler", e.compiler},
          {"flags", e.flags},          {"build_type", e.build_type}, {"sanitized", e.sanitized},
          {"assertions", e.assertions}};
}

json env_json(environment const& e) {
  json j{{"cpu", e.cpu_model},
         {"cpus", e.cpus},
         {"cpus_online", e.cpus_online},
         {"smt", e.smt},
         {"turbo", e.turbo},
         {"governor", e.governor},
         {"virt", e.hypervisor},
         {"kernel", e.kernel},
         {"mitigations", e.mitigations},
         {"libc", e.c_library},
         {"memory_bytes", e.memory_bytes},
         {"driver", e.driver},
         {"driver_reason", e.driver_reason},
         {"load", e.load_before},
         {"pressure_before", e.pressure_before},
         {"pressure_after", e.pressure_after},
         {"steal", e.steal},
         {"started", e.started},
         {"limits", json::object()}};
  for (auto const& [key, value] : e.limits) j["limits"][key] = value;
  return j;
}

std::string dump(json const& j) {
  return j.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string render_json(bench_report const& report) {
  json j{{"schema", "plait-bench/1"},
         {"tool", tool_json(report.env)},
         {"env", env_json(report.env)},
         {"command", report.command},
         {"seed", report.seed},
         {"repetitions", report.repetitions},
         {"interrupted", report.interrupted},
         {"warnings", json::array()},
         {"cells", json::array()},
         {"verdict", report.verdict}};
  for (warning const& w : report.warnings)
    j["warnings"].push_back({{"id", w.id}, {"text", w.text}});
  for (cell_result const& c : report.cells) j["cells"].push_back(cell_json(c));
  return dump(j);
}

std::string render_environment_json(environment const& e) {
  return dump({{"tool", tool_json(e)}, {"env", env_json(e)}});
}

void write_file(std::string const& path, std::string const& text) {
  std::string const temporary = path + ".new";
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file << text;
    if (!file.flush())
      throw std::system_error(errno, std::generic_category(), "cannot write " + path);
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    int const failed = errno;
    std::remove(temporary.c_str());
    throw std::system_error(failed, std::generic_category(), "cannot write " + path);
  }
}

}  // namespace plait::lab
