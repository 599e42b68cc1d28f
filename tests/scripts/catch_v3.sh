#!/usr/bin/env bash
# <plait/testing/catch.hpp> compiles over Catch2 v3, which is not packaged with what the tests are built
# with: a stand-in has v3's header and the three macros that are used of it, with their meaning. With and
# without CATCH_CONFIG_PREFIX_ALL.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/catch2"

cat > "$folder/catch2/catch_test_macros.hpp" <<'END'
#pragma once
#include <sstream>
#define STAND_IN_JOIN_AGAIN(a, b) a##b
#define STAND_IN_JOIN(a, b) STAND_IN_JOIN_AGAIN(a, b)
#define STAND_IN_CASE(...) [[maybe_unused]] static void STAND_IN_JOIN(case_, __COUNTER__)()
#define STAND_IN_INFO(text) std::ostringstream STAND_IN_JOIN(info_, __COUNTER__); \
  static_cast<void>(std::ostringstream() << text)
#ifdef CATCH_CONFIG_PREFIX_ALL
#define CATCH_TEST_CASE STAND_IN_CASE
#define CATCH_INFO STAND_IN_INFO
#else
#define TEST_CASE STAND_IN_CASE
#define INFO STAND_IN_INFO
#endif
END

cat > "$folder/cases.cpp" <<'END'
#include <plait/testing/catch.hpp>
#include <plait/sleep.hpp>
#ifdef CATCH_VERSION_MAJOR
#error "this is Catch2 v2"
#endif
PLAIT_TEST_CASE("a case", "[tag]") { co_await plait::yield(); }
PLAIT_TEST_CASE("without tags") { co_await plait::yield(); }
PLAIT_SIM_TEST_CASE("in simulation", 10) { co_await plait::yield(); }
END

for prefix in "" -DCATCH_CONFIG_PREFIX_ALL; do
  "$CXX" -std=c++20 -Wall -Wextra -fsyntax-only $prefix -I "$folder" \
    -I "$PLAIT_SOURCE_DIR/runtime" -I "$PLAIT_SOURCE_DIR/io" "$folder/cases.cpp"
  echo "compiles ${prefix:-as it is}"
done
