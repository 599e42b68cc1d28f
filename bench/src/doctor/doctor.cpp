#include "doctor/doctor.hpp"

#include <asio/version.hpp>
#include <fmt/format.h>
#include <liburing.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <plait/driver.hpp>

#include "cli/options.hpp"
#include "doctor/ladder.hpp"
#include "method/environment.hpp"
#include "output/format.hpp"
#include "output/json_output.hpp"

namespace plait::lab {

namespace {

struct driver_state {
  std::string name;
  bool works = false;
  std::string detail;
};

// By making one: the ladder says what the kernel offers, this what plait does with it.
driver_state try_driver(std::string name, driver_kind kind) {
  driver_state state{std::move(name), false, {}};
  try {
    driver_options wish;
    wish.kind = kind;
    auto const made = make_driver(wish);
    state.works = true;
    state.detail = fmt::format("works, as {}", made->name());
  } catch (std::exception const& refused) {
    state.detail = refused.what();
  }
  return state;
}

struct findings {
  environment env;
  std::vector<rung> ladder;
  std::vector<driver_state> drivers;

  bool default_works() const { return env.driver != "none"; }
};

std::string asio_version() {
  return fmt::format("{}.{}.{}", ASIO_VERSION / 100000, ASIO_VERSION / 100 % 1000,
                     ASIO_VERSION % 100);
}

void print_line(std::string_view name, std::string_view text) {
  fmt::print("  {:20} {}\n", name, text);
}

void print_state(look const& style, bool works, bool required, std::string_view name,
                 std::string_view detail) {
  std::string const mark = works      ? style.green("ok")
                           : required ? style.red("refused")
                                      : style.yellow("missing");
  fmt::print("  {} {} {}\n", pad_right(name, 20), pad_right(mark, 8), detail);
}

void print_machine(environment const& e) {
  print_line("cpu", fmt::format("{}, {} usable of {}{}", e.cpu_model, e.cpus, e.cpus_online,
                                e.smt ? ", hyper-threads" : ""));
  print_line("virtual machine", e.hypervisor.empty() ? "no" : e.hypervisor);
  print_line("memory", short_bytes(e.memory_bytes));
  print_line("kernel", e.kernel);
  print_line("governor", e.governor.empty() ? "not visible" : e.governor);
  print_line("mitigations", e.mitigations);
  print_line("load", fmt::format("{:.2f}, CPU pressure {:.0f}%", e.load_before, e.pressure_before));
}

void print_limits(environment const& e) {
  for (auto const& [name, value] : e.limits)
    print_line(name,
               name == "memory" ? short_bytes(value) + " free" : fmt::format("{:.0f}", value));
  for (char const* name : {"RLIMIT_NPROC", "pids.max"})
    if (!e.limits.contains(name)) print_line(name, "none");
}

void print_text(findings const& f) {
  look const style = look_for(STDOUT_FILENO, true);
  fmt::print("{}\n", style.bold("Machine"));
  print_machine(f.env);
  fmt::print("{}\n", style.bold("Limits"));
  print_limits(f.env);
  fmt::print("{}\n", style.bold("io_uring"));
  for (rung const& r : f.ladder) print_state(style, r.works, r.required, r.name, r.detail);
  fmt::print("{}\n", style.bold("Drivers"));
  for (driver_state const& d : f.drivers) print_state(style, d.works, true, d.name, d.detail);
  print_line("plait chooses", fmt::format("{}: {}", f.env.driver, f.env.driver_reason));
  fmt::print("{}\n", style.bold("Versions"));
  print_line("plait", fmt::format("{} ({})", f.env.tool_version, f.env.git_hash));
  print_line("compiler", fmt::format("{} {}, {}", f.env.compiler, f.env.flags, f.env.build_type));
  print_line("C library", f.env.c_library);
  print_line("Asio", asio_version());
}

void print_json(findings const& f) {
  auto j = nlohmann::json::parse(render_environment_json(f.env));
  j["schema"] = "plait-doctor/1";
  j["asio"] = asio_version();
  j["io_uring"] = nlohmann::json::array();
  for (rung const& r : f.ladder)
    j["io_uring"].push_back(
        {{"name", r.name}, {"works", r.works}, {"detail", r.detail}, {"required", r.required}});
  j["drivers"] = nlohmann::json::array();
  for (driver_state const& d : f.drivers)
    j["drivers"].push_back({{"name", d.name}, {"works", d.works}, {"detail", d.detail}});
  fmt::print("{}\n", j.dump(1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

int doctor_command(std::vector<std::string> const& arguments) {
  bool json = false;
  for (std::string const& argument : arguments) {
    if (argument == "--json") {
      json = true;
    } else if (argument == "--help" || argument == "-h") {
      fmt::print("usage: plait doctor [--json]\n");
      return 0;
    } else {
      throw usage_error(fmt::format("plait doctor takes --json, not '{}'", argument));
    }
  }
  findings f{
      probe_environment(),
      climb_uring_ladder(),
      {try_driver("io_uring", driver_kind::io_uring), try_driver("epoll", driver_kind::epoll)}};
  if (json) {
    print_json(f);
  } else {
    print_text(f);
  }
  return f.default_works() ? 0 : 1;
}

}  // namespace plait::lab
