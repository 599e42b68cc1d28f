// The figures that plait holds itself to and that a test case cannot check: times, rates and bytes,
// measured on the machine at hand. Each is a line on standard output. A time that is missed is only
// reported, since machines are busy; ten times the figure, or a missed count, is a failure.
#pragma once

#include <plait/driver.hpp>

#include <string>
#include <vector>

namespace plait::figures {

class report {
 public:
  // What was measured must not be above `figure`; ten times that fails.
  void time_ms(std::string const& what, double measured, double figure);
  // What was counted must not be above `most`.
  void at_most(std::string const& what, double counted, double most, char const* unit);
  void note(std::string const& what, double measured_ms);  // no figure of its own
  void exactly(std::string const& what, long counted, long wanted);
  void skipped(std::string const& what, std::string const& why);

  int failures() const noexcept { return failures_; }

 private:
  void line(std::string const& what, std::string const& measured, std::string const& figure, bool holds);

  int failures_ = 0;
};

// The drivers that this machine has and PLAIT_DRIVER allows.
std::vector<driver_kind> drivers();
std::string name_of(driver_kind kind);

void timer_lateness(report& to, driver_kind kind);     // F9
void idle_connections(report& to, driver_kind kind);   // F11
void descriptor_storm(report& to, driver_kind kind);   // F12
void wakes(report& to, driver_kind kind);              // F15
void fallback(report& to);                             // F20

}  // namespace plait::figures
