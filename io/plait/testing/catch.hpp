// Catch2 test cases whose body is a coroutine; for Catch2 v2 and v3, whichever has been included or is
// found. The library itself knows nothing of Catch2.
//
//     PLAIT_TEST_CASE("store: keeps what it is given", "[store]") {
//       co_await store.put("a", 1);
//       int const got = co_await store.get("a");
//       CHECK(got == 1);
//     }
//     PLAIT_SIM_TEST_CASE("store: survives two clients", 1000) { ... }   // simulated, seeds 1 to 1000
//
// The first has TEST_CASE's arguments and runs on the driver of make_driver (PLAIT_DRIVER chooses); the
// other one shows the seed with what fails, and PLAIT_SEED runs that seed alone. A case that leaves
// something behind (run_case.hpp says what is looked at) fails with a list of it.
// Name the result of a co_await before a CHECK of it: Catch2's macros may evaluate an expression twice.
#pragma once

#include <plait/task.hpp>
#include <plait/testing/run_case.hpp>

#if !defined(TEST_CASE) && !defined(CATCH_TEST_CASE)
#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#elif __has_include(<catch2/catch.hpp>)
#include <catch2/catch.hpp>
#else
#error "plait/testing/catch.hpp needs Catch2, v2 or v3"
#endif
#endif

// With CATCH_CONFIG_PREFIX_ALL Catch2's names have a prefix.
#if defined(TEST_CASE)
#define PLAIT_CATCH_CASE TEST_CASE
#define PLAIT_CATCH_INFO INFO
#else
#define PLAIT_CATCH_CASE CATCH_TEST_CASE
#define PLAIT_CATCH_INFO CATCH_INFO
#endif

#define PLAIT_CATCH_JOIN_AGAIN(a, b) a##b
#define PLAIT_CATCH_JOIN(a, b) PLAIT_CATCH_JOIN_AGAIN(a, b)

#define PLAIT_TEST_CASE_NAMED(body, ...)                                 \
  static ::plait::task<> body();                                         \
  PLAIT_CATCH_CASE(__VA_ARGS__) { ::plait::testing::run_case(&(body)); } \
  static ::plait::task<> body()

#define PLAIT_SIM_TEST_CASE_NAMED(body, name, seeds)                                    \
  static ::plait::task<> body();                                                        \
  PLAIT_CATCH_CASE(name, "[sim]") {                                                     \
    for (auto const seed : ::plait::testing::seeds_to_run(seeds)) {                     \
      PLAIT_CATCH_INFO("seed " << seed << "; PLAIT_SEED=" << seed << " runs it alone"); \
      ::plait::testing::run_sim_case(&(body), seed);                                    \
    }                                                                                   \
  }                                                                                     \
  static ::plait::task<> body()

#define PLAIT_TEST_CASE(...) \
  PLAIT_TEST_CASE_NAMED(PLAIT_CATCH_JOIN(plait_test_case_, __LINE__), __VA_ARGS__)
#define PLAIT_SIM_TEST_CASE(name, seeds) \
  PLAIT_SIM_TEST_CASE_NAMED(PLAIT_CATCH_JOIN(plait_sim_test_case_, __LINE__), name, seeds)
