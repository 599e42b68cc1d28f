// The zygote: a copy of this program that does nothing but fork workers. It was exec'd, so it has one
// thread and only the descriptors that were given to it; forking it is cheap and safe whatever the
// program itself has become.
#pragma once

namespace plait::detail {

// Serves the program at the other end of `control` until that closes it or ends; then kills and
// reaps the workers that are left and exits. SIGKILL to the zygote leaves the workers alive.
[[noreturn]] void run_zygote(int control) noexcept;

}  // namespace plait::detail
