#include <plait/detail/config.hpp>

#include <cstdio>
#include <cstdlib>

namespace plait::detail {

void check_failed(const char* what, std::source_location at) noexcept {
  std::fprintf(stderr, "plait: %s\n  at %s:%u in %s\n", what, at.file_name(),
               static_cast<unsigned>(at.line()), at.function_name());
  std::fflush(stderr);
  std::abort();
}

}  // namespace plait::detail
