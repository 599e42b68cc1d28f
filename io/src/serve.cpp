#include <plait/io/serve.hpp>

#include <cstdio>

namespace plait::io::detail {
namespace {

// The peer's doing: it went away.
bool is_departure(std::error_code code) {
  return code == std::errc::connection_reset || code == std::errc::broken_pipe ||
         code == std::errc::timed_out || code == make_error_code(errc::end_of_file) ||
         code == make_error_code(errc::closed);
}

}  // namespace

void report_session_failure(std::exception_ptr error, serve_options const& options) noexcept {
  if (options.on_failure != nullptr) return options.on_failure(std::move(error));
  try {
    std::rethrow_exception(std::move(error));
  } catch (io_error const& e) {
    if (!is_departure(e.code())) std::fprintf(stderr, "plait: a session failed: %s\n", e.what());
  } catch (std::exception const& e) {
    std::fprintf(stderr, "plait: a session failed: %s\n", e.what());
  }
}

}  // namespace plait::io::detail
