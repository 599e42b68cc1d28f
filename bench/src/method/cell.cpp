#include "method/cell.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "output/format.hpp"

namespace plait::lab {

using nlohmann::json;

namespace {

json usage_json(usage const& u) {
  return {{"user_s", u.user_s},
          {"sys_s", u.system_s},
          {"nvcsw", u.voluntary},
          {"nivcsw", u.involuntary}};
}

usage usage_from(json const& j) {
  return {j.at("user_s"), j.at("sys_s"), j.at("nvcsw"), j.at("nivcsw")};
}

}  // namespace

std::string_view cell::model_name() const {
  return std::string_view(model).substr(0, model.find('/'));
}

std::string_view cell::driver() const {
  auto const slash = model.find('/');
  return slash == std::string::npos ? std::string_view()
                                    : std::string_view(model).substr(slash + 1);
}

std::string cell::label() const {
  return fmt::format("{} {} N={}", workload, model, short_size(n));
}

std::string to_json(cell const& c) {
  return json{{"workload", c.workload}, {"model", c.model},       {"n", c.n},
              {"workers", c.workers},   {"window_s", c.window_s}, {"warmup_s", c.warmup_s},
              {"seed", c.seed}}
      .dump();
}

cell cell_from_json(std::string_view text) {
  json const j = json::parse(text);
  cell c;
  c.workload = j.at("workload");
  c.model = j.at("model");
  c.n = j.at("n");
  c.workers = j.at("workers");
  c.window_s = j.at("window_s");
  c.warmup_s = j.at("warmup_s");
  c.seed = j.at("seed");
  return c;
}

std::string to_json(rep_result const& r) {
  json j{{"ops", r.ops},     {"wall_s", r.wall_s}, {"value", r.value},
         {"drift", r.drift}, {"extra", r.extra},   {"used", usage_json(r.used)}};
  if (!r.error.empty()) j["error"] = r.error;
  if (r.latency.count() > 0)
    j["latency"] = {{"buckets", r.latency.buckets()},
                    {"max_ns", r.latency.max_ns()},
                    {"sum_ns", r.latency.sum_ns()}};
  if (r.memory) {
    unit_memory const& m = *r.memory;
    j["memory"] = {{"rss", m.rss},
                   {"pss", m.pss},
                   {"page_tables", m.page_tables},
                   {"kernel_stacks", m.kernel_stacks},
                   {"slab", m.slab},
                   {"available", m.available}};
  }
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

rep_result rep_from_json(std::string_view text) {
  json const j = json::parse(text);
  rep_result r;
  r.ops = j.at("ops");
  r.wall_s = j.at("wall_s");
  r.value = j.at("value");
  r.drift = j.at("drift");
  r.extra = j.at("extra").get<std::map<std::string, double>>();
  r.used = usage_from(j.at("used"));
  r.error = j.value("error", "");
  if (auto const l = j.find("latency"); l != j.end())
    r.latency =
        histogram::restore(l->at("buckets").get<std::vector<std::pair<unsigned, std::uint64_t>>>(),
                           l->at("max_ns"), l->at("sum_ns"));
  if (auto const m = j.find("memory"); m != j.end())
    r.memory = unit_memory{m->at("rss"),           m->at("pss"),  m->at("page_tables"),
                           m->at("kernel_stacks"), m->at("slab"), m->at("available")};
  return r;
}

}  // namespace plait::lab
