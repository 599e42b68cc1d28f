// What a failed check says besides: which run of a sweep this is.
#pragma once

namespace plait::detail {

inline thread_local constinit char const* check_context = nullptr;

}  // namespace plait::detail
