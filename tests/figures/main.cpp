// plait_figures [NAME ...]: measures all figures or the named ones (F9 F11 F12 F15 F20).
#include "figures.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <system_error>

#include <sys/wait.h>
#include <unistd.h>

namespace plait::figures {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.2f" : "%.0f", value);
  return text;
}

}  // namespace

void report::line(std::string const& what, std::string const& measured, std::string const& figure,
                  bool holds) {
  if (!holds) ++failures_;
  std::printf("%s %s (%s)%s\n", what.c_str(), measured.c_str(), figure.c_str(), holds ? "" : " FAILED");
  std::fflush(stdout);
}

void report::time_ms(std::string const& what, double measured, double figure) {
  std::string const missed = measured > figure ? ", missed" : "";
  line(what, number(measured) + " ms",
       "figure " + number(figure) + " ms" + missed + ", fails above " + number(10 * figure) + " ms",
       measured <= 10 * figure);
}

void report::at_most(std::string const& what, double counted, double most, char const* unit) {
  line(what, number(counted) + " " + unit, "figure: at most " + number(most), counted <= most);
}

void report::exactly(std::string const& what, long counted, long wanted) {
  line(what, std::to_string(counted), "figure: " + std::to_string(wanted), counted == wanted);
}

void report::note(std::string const& what, double measured_ms) {
  std::printf("%s %s ms\n", what.c_str(), number(measured_ms).c_str());
}

void report::skipped(std::string const& what, std::string const& why) {
  std::printf("%s skipped: %s\n", what.c_str(), why.c_str());
}

std::string name_of(driver_kind kind) { return kind == driver_kind::epoll ? "epoll" : "io_uring"; }

std::vector<driver_kind> drivers() {
  char const* const only = std::getenv("PLAIT_DRIVER");
  std::vector<driver_kind> found;
  for (driver_kind const kind : {driver_kind::io_uring, driver_kind::epoll}) {
    if (only != nullptr && *only != '\0' && name_of(kind) != only) continue;
    try {
      choose_driver({.kind = kind});
      found.push_back(kind);
    } catch (std::system_error const& e) {
      std::printf("%s skipped: %s\n", name_of(kind).c_str(), e.what());
    }
  }
  return found;
}

// Measures in a process of its own, so that no figure has the memory and the limits of another.
int failures_of(std::function<void(report&)> const& measure) {
  std::fflush(stdout);
  pid_t const child = ::fork();
  if (child == 0) {
    report mine;
    measure(mine);
    std::fflush(stdout);
    ::_exit(mine.failures());
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  std::printf("a measurement ended by signal %d\n", WTERMSIG(status));
  return 1;
}

}  // namespace plait::figures

int main(int argc, char** argv) {
  using namespace plait::figures;
  struct {
    char const* name;
    void (*measure)(report&, plait::driver_kind);
  } const figures[] = {
      {"F9", timer_lateness}, {"F11", idle_connections}, {"F12", descriptor_storm}, {"F15", wakes}};
  auto const wanted = [&](char const* name) {
    for (int i = 1; i < argc; ++i) {
      if (std::strcmp(argv[i], name) == 0) return true;
    }
    return argc == 1;
  };
  int failures = 0;
  for (plait::driver_kind const kind : drivers()) {
    for (auto const& figure : figures) {
      if (wanted(figure.name)) failures += failures_of([&](report& to) { figure.measure(to, kind); });
    }
  }
  if (wanted("F20")) failures += failures_of(fallback);
  std::printf("%d figures failed\n", failures);
  return failures == 0 ? 0 : 1;
}
