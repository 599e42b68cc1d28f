// Catch's assertions under g++ 12. The macro of Catch 2.13 names its expression three times: once to
// evaluate it, and twice where it never runs, to make the compiler warn. g++ 12 evaluates a co_await
// there all the same, so that CHECK(co_await ...) would do everything three times. This is the macro
// with the evaluation alone. tests/CMakeLists.txt includes it in front of every test's source.
#pragma once

#include <catch2/catch.hpp>

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#undef INTERNAL_CATCH_TEST
#define INTERNAL_CATCH_TEST(macroName, resultDisposition, ...)                                     \
  do {                                                                                             \
    Catch::AssertionHandler catchAssertionHandler(macroName##_catch_sr, CATCH_INTERNAL_LINEINFO,   \
                                                  CATCH_INTERNAL_STRINGIFY(__VA_ARGS__),           \
                                                  resultDisposition);                              \
    INTERNAL_CATCH_TRY {                                                                           \
      catchAssertionHandler.handleExpr(Catch::Decomposer() <= __VA_ARGS__);                        \
    }                                                                                              \
    INTERNAL_CATCH_CATCH(catchAssertionHandler)                                                    \
    INTERNAL_CATCH_REACT(catchAssertionHandler)                                                    \
  } while (false)
#endif
