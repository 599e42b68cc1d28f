#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "output/json_output.hpp"

using namespace plait::lab;
using nlohmann::json;

namespace {

json load_schema() {
  auto const path =
      std::filesystem::path(__FILE__).parent_path() / "../../bench/schema/plait-bench-1.json";
  std::ifstream file(path);
  REQUIRE(file);
  return json::parse(file);
}

bool has_type(json const& value, std::string const& type) {
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  return value.type_name() == type;
}

// The part of JSON Schema that the lab's schema uses. Collects what is wrong.
class validator {
 public:
  explicit validator(json const& schema) : root_(schema) {}

  void check(json const& value, json const& schema, std::string const& at) {
    if (auto const ref = schema.find("$ref"); ref != schema.end())
      return check(value, root_.at(json::json_pointer(ref->get<std::string>().substr(1))), at);
    if (auto const type = schema.find("type"); type != schema.end() && !has_type(value, *type))
      return wrong(at, "is not of type " + type->get<std::string>());
    if (auto const c = schema.find("const"); c != schema.end() && value != *c)
      wrong(at, "is not " + c->dump());
    if (auto const e = schema.find("enum");
        e != schema.end() && std::find(e->begin(), e->end(), value) == e->end())
      wrong(at, "is none of " + e->dump());
    if (auto const least = schema.find("minimum"); least != schema.end() && value < *least)
      wrong(at, "is below " + least->dump());
    if (value.is_object()) check_object(value, schema, at);
    if (value.is_array()) check_array(value, schema, at);
  }

  std::vector<std::string> problems;

 private:
  void wrong(std::string const& at, std::string const& what) {
    problems.push_back(at + " " + what);
  }

  void check_object(json const& value, json const& schema, std::string const& at) {
    json const properties = schema.value("properties", json::object());
    json const required = schema.value("required", json::array());
    for (json const& name : required)
      if (!value.contains(name)) wrong(at, "lacks " + name.get<std::string>());
    for (auto const& [name, member] : value.items()) {
      if (properties.contains(name)) {
        check(member, properties[name], at + "/" + name);
      } else if (auto const more = schema.find("additionalProperties"); more != schema.end()) {
        if (*more == false) wrong(at, "has an unknown member " + name);
        if (more->is_object()) check(member, *more, at + "/" + name);
      }
    }
  }

  void check_array(json const& value, json const& schema, std::string const& at) {
    if (value.size() < schema.value("minItems", std::size_t{0}) ||
        value.size() > schema.value("maxItems", value.size()))
      wrong(at, "has the wrong length");
    if (auto const items = schema.find("items"); items != schema.end())
      for (std::size_t i = 0; i < value.size(); ++i)
        check(value[i], *items, at + "/" + std::to_string(i));
  }

  json const& root_;
};

std::vector<std::string> problems_of(json const& document) {
  json const schema = load_schema();
  validator v(schema);
  v.check(document, schema, "");
  return v.problems;
}

bench_report full_report() {
  bench_report report;
  report.env = probe_environment();
  report.seed = 7;
  report.repetitions = 3;
  report.command = {"plait", "bench", "--seed", "7"};
  report.warnings = {{"W-VM", "virtual machine"}};
  report.verdict = {"io.echo N=100: coro wins."};
  cell_result& c = report.cells.emplace_back();
  c.cell.workload = "io.echo";
  c.cell.model = "coro/epoll";
  for (int i = 0; i < 3; ++i) {
    rep_result r;
    r.value = 100 + i;
    r.ops = 100;
    r.wall_s = 1;
    r.memory = unit_memory{1, 2, 3, 4, 5, 6};
    r.latency.add(1000, 2000);
    r.extra["client_cpu"] = 0.9;
    c.reps.push_back(r);
  }
  c.sum = c.summarise(7);
  cell_result& limited = report.cells.emplace_back();
  limited.cell.workload = "io.sleepers";
  limited.cell.model = "thread";
  limited.limit = limit_hit{"pid_max", 32768};
  cell_result& broken = report.cells.emplace_back();
  broken.cell.workload = "cost.memory";
  broken.cell.model = "process";
  broken.error = "wrong answer";
  return report;
}

}  // namespace

TEST_CASE("json: a report with everything in it follows the schema") {
  json const document = json::parse(render_json(full_report()));
  auto const problems = problems_of(document);
  INFO((problems.empty() ? std::string() : problems.front()));
  CHECK(problems.empty());
  CHECK(document["schema"] == "plait-bench/1");
  CHECK(document["cells"][0]["median"] == 101);
  CHECK(document["cells"][0]["latency"]["p99_ns"].get<double>() == Approx(1000).epsilon(0.02));
  CHECK(document["cells"][1]["na"]["limit"] == "pid_max 32768");
  CHECK_FALSE(document["cells"][1].contains("median"));
  CHECK(document["cells"][2]["error"] == "wrong answer");
}

TEST_CASE("json: the schema notices what does not belong") {
  json document = json::parse(render_json(full_report()));
  document["cells"][0].erase("n");
  document["cells"][0]["surprise"] = 1;
  document["seed"] = "seven";
  document["schema"] = "plait-bench/2";
  CHECK(problems_of(document).size() == 4);
}

TEST_CASE("json: a file is written whole, and a failure names it") {
  char folder[] = "/tmp/plait-json-test-XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  std::string const path = std::string(folder) + "/out.json";
  write_file(path, "one");
  write_file(path, "two");
  std::ifstream file(path);
  std::string text;
  std::getline(file, text);
  CHECK(text == "two");
  CHECK_FALSE(std::filesystem::exists(path + ".new"));
  CHECK_THROWS_WITH(write_file(std::string(folder) + "/none/out.json", "x"),
                    Catch::Matchers::Contains("none/out.json"));
  std::filesystem::remove_all(folder);
}
