#pragma once

#include <string>
#include <vector>

namespace plait::lab {

// Commands of the lab's own, for io.echo and bench/echo_compare; not in the help.
//   __serve-echo MODEL [--port P] [--announce FD]      prints its port on FD (1), then serves
//   __load-echo --port P --connections N [--idle N] [--size BYTES] [--warmup S] [--window S]
//               [--server PID] [--announce FD]         prints a rep_result as JSON on FD (1)
int serve_echo_command(std::vector<std::string> const& arguments);
int load_echo_command(std::vector<std::string> const& arguments);

}  // namespace plait::lab
