#pragma once

#include <string_view>

namespace plait::test {

/// Says that the running test case cannot be decided on this machine, and why; return from the
/// test case right after it. ctest then counts the case as skipped, unless an assertion failed
/// before: a failure is never hidden by a skip. Main thread only.
void skip(std::string_view reason);

}  // namespace plait::test
