// What this process is: the program itself, or a helper that a process pool of it started.
#pragma once

namespace plait::detail {

// Names the role for the program that is started again, and which descriptor it is given.
inline constexpr char role_variable[] = "PLAIT_ROLE";
inline constexpr char zygote_role[] = "zygote";
inline constexpr int role_descriptor = 3;

// Whether main began with plait::run(argc, argv, ...): only then would a second copy of this program
// know that it is a helper instead of doing the program's work once more.
bool may_start_processes() noexcept;

}  // namespace plait::detail
