#include "support/io_test.hpp"

#include "support/skip.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <unistd.h>

namespace plait::test {
namespace {

char const* guarded = "";

void say(char const* text) { static_cast<void>(!::write(STDERR_FILENO, text, std::strlen(text))); }

void on_alarm(int) {
  say("\nhangs: ");
  say(guarded);
  say("\n");
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

// Empty where this driver can be tested.
std::string why_not(driver_kind kind) {
  char const* const only = std::getenv("PLAIT_DRIVER");
  std::string_view const wanted = only != nullptr ? only : "";
  std::string_view const this_one = kind == driver_kind::io_uring ? "io_uring" : "epoll";
  if (!wanted.empty() && wanted != this_one) return "PLAIT_DRIVER is " + std::string(wanted);
  if (kind == driver_kind::epoll) return "";
  try {
    choose_driver({.kind = kind});
    return "";
  } catch (std::system_error const& e) {
    return e.what();
  }
}

}  // namespace

hang_guard::hang_guard(char const* name, unsigned patience_s) {
  guarded = name;
  std::signal(SIGALRM, on_alarm);
  ::alarm(patience_s);
}

hang_guard::~hang_guard() { ::alarm(0); }

void run_io_test(driver_kind kind, char const* name, void (*body)(io_fixture&)) {
  static std::string const not_on_uring = why_not(driver_kind::io_uring);
  static std::string const not_on_epoll = why_not(driver_kind::epoll);
  std::string const& reason = kind == driver_kind::io_uring ? not_on_uring : not_on_epoll;
  if (!reason.empty()) return skip(reason);
  hang_guard const guard(name);
  io_fixture fixture(kind);
  body(fixture);
}

}  // namespace plait::test
