#include "sys.hpp"

#include <plait/io/error.hpp>
#include <plait/scheduler.hpp>

#include <cerrno>

namespace plait::io {

system_calls& sys_here() noexcept {
  scheduler* const s = scheduler::current_or_null();
  return s != nullptr ? s->sys() : system_calls::real();
}

void throw_errno(int answer, char const* what, std::string const& about) {
  throw io_error({std::error_code(-answer, std::generic_category()), 0, what}, about);
}

void throw_no_descriptor(int answer, char const* what) {
  throw_errno(answer, what, answer == -EMFILE ? "(raise the descriptor limit: ulimit -n)" : "");
}

}  // namespace plait::io
