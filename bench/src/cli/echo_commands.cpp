#include "cli/echo_commands.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/options.hpp"
#include "method/child.hpp"
#include "method/limits.hpp"
#include "workloads/echo.hpp"
#include "workloads/units.hpp"

namespace plait::lab {

namespace {

void parse(CLI::App& app, std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(arguments);
  } catch (CLI::ParseError const& e) {
    throw usage_error(e.what());
  }
}

void write_line(int fd, std::string const& text) {
  std::string const line = text + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    ssize_t const n = ::write(fd, line.data() + sent, line.size() - sent);
    if (n <= 0) throw_errno("handing over a result");
    sent += static_cast<std::size_t>(n);
  }
}

}  // namespace

int serve_echo_command(std::vector<std::string> const& arguments) {
  std::string model;
  std::uint16_t port = 0;
  int announce_fd = STDOUT_FILENO;
  CLI::App app;
  app.add_option("model", model)->required();
  app.add_option("--port", port);
  app.add_option("--announce", announce_fd);
  parse(app, arguments);
  echo_server const serve = find_echo_server(model);
  if (!serve) throw usage_error(fmt::format("no echo server is called '{}'", model));
  die_with_parent();
  raise_descriptor_limit();
  serve(port, [&](std::uint16_t listening) { write_line(announce_fd, std::to_string(listening)); });
  return 0;
}

int load_echo_command(std::vector<std::string> const& arguments) {
  echo_load load;
  int announce_fd = STDOUT_FILENO;
  CLI::App app;
  app.add_option("--port", load.port)->required();
  app.add_option("--connections", load.connections)->check(CLI::Range(1u, 1'000'000u));
  app.add_option("--idle", load.idle);
  app.add_option("--size", load.message_bytes)->check(CLI::Range(1u, 1u << 24));
  app.add_option("--warmup", load.warmup_s);
  app.add_option("--window", load.window_s);
  app.add_option("--server", load.server);
  app.add_option("--announce", announce_fd);
  parse(app, arguments);
  die_with_parent();
  raise_descriptor_limit();
  rep_result result;
  try {
    result = run_echo_load(load);
  } catch (std::exception const& e) {
    result.error = e.what();
  }
  write_line(announce_fd, to_json(result));
  return 0;
}

}  // namespace plait::lab
