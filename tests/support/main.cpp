#include "support/skip.hpp"

#include <plait/run.hpp>

#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdio>
#include <string>
#include <thread>

namespace {

std::size_t skipped_cases = 0;
std::size_t run_cases = 0;

struct case_counter : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testCaseStarting(Catch::TestCaseInfo const&) override { ++run_cases; }
};
CATCH_REGISTER_LISTENER(case_counter)

// What SKIP_RETURN_CODE in tests/CMakeLists.txt says.
constexpr int exit_skipped = 77;

}  // namespace

void plait::test::skip(std::string_view reason) {
  ++skipped_cases;
  std::printf("SKIPPED: %.*s\n", static_cast<int>(reason.size()), reason.data());
  SUCCEED("SKIPPED: " + std::string(reason));
}

int main(int argc, char** argv) {
  plait::detail::enter_process_role(argc, argv);  // a test's process pool starts this binary again
  std::thread([] {}).join();  // ThreadSanitizer's own thread starts with the first one and stays
  Catch::Session session;
  // A test case that asserts nothing proves nothing: let it fail.
  session.configData().warnings = Catch::WarnAbout::NoAssertions;
  if (const int bad = session.applyCommandLine(argc, argv); bad != 0) {
    return bad;
  }
  const auto& config = session.configData();
  const int result = session.run();
  if (config.listTests || config.listTestNamesOnly || config.listTags || config.listReporters) {
    return result;
  }
  // Catch returns the number of failures, which could be 77.
  if (result != 0) {
    return 1;
  }
  return run_cases > 0 && skipped_cases >= run_cases ? exit_skipped : 0;
}
