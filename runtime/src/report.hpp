// How reports call things.
#pragma once

#include <plait/detail/task_state.hpp>

#include <source_location>
#include <string>
#include <string_view>

namespace plait::detail {

// mutex "accounts"; a mutex where it has no name
std::string name_of(char const* kind, char const* name);
// task "transfer"; where it has no name, the line at which its first coroutine stands
std::string name_of(task_state const& task);
// bank.cpp:21
std::string place(std::string_view file, unsigned line);
std::string place(std::source_location const& at);  // "its beginning" where there is none

}  // namespace plait::detail
