#pragma once

#include <string>
#include <vector>

namespace plait::lab {

// plait doctor [--json]: this machine, its limits, what io_uring gives here, and which driver plait
// chooses and why. Status 0 when the driver that plait chooses works; 1 when none does.
int doctor_command(std::vector<std::string> const& arguments);

}  // namespace plait::lab
