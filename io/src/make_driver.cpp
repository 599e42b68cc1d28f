#include "io_driver.hpp"
#include "sim/simulation.hpp"

#include <plait/system_calls.hpp>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unistd.h>

namespace plait {
namespace {

driver_kind kind_by_environment() {
  char const* const value = std::getenv("PLAIT_DRIVER");
  if (value == nullptr || *value == '\0') return driver_kind::automatic;
  std::string_view const name = value;
  if (name == "io_uring") return driver_kind::io_uring;
  if (name == "epoll") return driver_kind::epoll;
  if (name == "sim") return driver_kind::sim;
  throw std::invalid_argument("PLAIT_DRIVER=" + std::string(name) +
                              ": set it to io_uring, epoll or sim, or unset it to let plait choose");
}

// Of a simulated world.
std::uint64_t seed_by_environment() {
  char const* const value = std::getenv("PLAIT_SEED");
  if (value == nullptr || *value == '\0') return 1;
  std::string_view const text = value;
  std::uint64_t seed = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error == std::errc() && end == text.data() + text.size()) return seed;
  throw std::invalid_argument("PLAIT_SEED=" + std::string(text) + ": set it to a number from 0 to 2^64 - 1");
}

std::string refusal(std::system_error const& e) {
  std::string text = e.what();
  switch (e.code().value()) {
    case EPERM:
    case EACCES:
      return text + " (a seccomp filter, as containers have, or kernel.io_uring_disabled)";
    case ENOSYS:
      return text + " (the kernel has no io_uring, or a seccomp filter hides it)";
    case ENOMEM:
      return text + " (raise the locked memory limit: ulimit -l)";
    case EMFILE:
    case ENFILE:
      return text + " (raise the descriptor limit: ulimit -n)";
    default:
      return text;
  }
}

std::unique_ptr<driver> epoll_or_why() {
  try {
    return io::make_epoll_driver();
  } catch (std::system_error const& e) {
    throw std::system_error(e.code(), "no driver can be made: " + refusal(e));
  }
}

struct choice {
  std::unique_ptr<driver> made;
  driver_report report;
};

choice choose(driver_options options) {
  bool const asked = options.kind != driver_kind::automatic;
  if (!asked) options.kind = kind_by_environment();
  char const* const by = asked ? "asked for by the program" : "asked for by PLAIT_DRIVER";
  if (options.kind == driver_kind::sim) {
    return {io::sim::make_sim_driver({.seed = seed_by_environment()}), {driver_kind::sim, by}};
  }
  if (options.kind == driver_kind::epoll) {
    return {epoll_or_why(), {driver_kind::epoll, by}};
  }
  try {
    auto made = io::make_uring_driver(options);
    bool const automatic = options.kind == driver_kind::automatic;
    return {std::move(made), {driver_kind::io_uring, automatic ? "the kernel offers it" : by}};
  } catch (std::system_error const& e) {
    if (options.kind == driver_kind::io_uring) {
      throw std::system_error(e.code(), "the io_uring driver was " + std::string(by) +
                                            " and is refused: " + refusal(e) +
                                            "; PLAIT_DRIVER=epoll works without it");
    }
    return {epoll_or_why(), {driver_kind::epoll, "io_uring is refused: " + refusal(e)}};
  }
}

// A socket with the number 1 would get what the program prints. So what is closed of 0 to 2 is opened,
// as the C library does it for programs that run with another user's rights.
void occupy_standard_descriptors() noexcept {
  system_calls& kernel = system_calls::real();
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (!kernel.is_open(fd)) kernel.open("/dev/null", O_RDWR, 0);
  }
}

}  // namespace

std::unique_ptr<driver> make_driver(driver_options options) {
  occupy_standard_descriptors();
  return choose(options).made;
}

driver_report choose_driver(driver_options options) { return choose(options).report; }

}  // namespace plait
