// The system calls of the world that this thread's scheduler runs in, and their errors as exceptions.
#pragma once

#include <plait/system_calls.hpp>

#include <string>

namespace plait::io {

// The kernel's own where no scheduler runs.
system_calls& sys_here() noexcept;

// `answer` is a negative errno.
[[noreturn]] void throw_errno(int answer, char const* what, std::string const& about = {});

// The same of a call that makes descriptors: says what to do where there are none left.
[[noreturn]] void throw_no_descriptor(int answer, char const* what);

}  // namespace plait::io
