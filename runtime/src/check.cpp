#include <plait/detail/config.hpp>

#include "check_context.hpp"

#include <cstdio>
#include <cstdlib>

namespace plait::detail {

void check_failed(const char* what, std::source_location at) noexcept {
  std::fprintf(stderr, "plait: %s\n  at %s:%u in %s\n", what, at.file_name(),
               static_cast<unsigned>(at.line()), at.function_name());
  if (check_context != nullptr) std::fprintf(stderr, "  in the sweep's run %s\n", check_context);
  std::fflush(stderr);
  std::abort();
}

}  // namespace plait::detail
