#include <plait/run.hpp>

#include <cstdio>

namespace plait::detail {

int report_uncaught() noexcept {
  try {
    throw;
  } catch (std::exception const& e) {
    std::fprintf(stderr, "plait: uncaught exception: %s\n", e.what());
  } catch (...) {
    std::fprintf(stderr, "plait: uncaught exception of unknown type\n");
  }
  return 1;
}

}  // namespace plait::detail
