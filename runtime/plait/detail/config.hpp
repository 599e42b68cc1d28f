// Compiler facts and the two kinds of check that the rest of plait is written in.
#pragma once

#include <source_location>

// On in every preset but `release`: misuse is loud while a program is developed.
#ifndef PLAIT_ASSERTIONS
#define PLAIT_ASSERTIONS 0
#endif

// What the task tree shows of each task: its name, the line of each await, since when it waits. User and
// library have to agree on it.
#ifndef PLAIT_TASK_TRACKING
#define PLAIT_TASK_TRACKING 1
#endif

#if defined(__SANITIZE_ADDRESS__)
#define PLAIT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLAIT_ASAN 1
#endif
#endif
#ifndef PLAIT_ASAN
#define PLAIT_ASAN 0
#endif

// GCC turns symmetric transfer into a tail call only at -O2 without sanitizers, and no macro tells
// -O1 from -O2; so every GCC build bounds its inline depth. clang always makes the tail call.
#if defined(__GNUC__) && !defined(__clang__)
#define PLAIT_BOUNDED_DEPTH 1
#else
#define PLAIT_BOUNDED_DEPTH 0
#endif

// For functions on a cold path: the callee saves every register, so that the hot path around the call
// saves none. Such a function must not throw: an exception would not restore them.
#if defined(__clang__) && defined(__x86_64__)
#define PLAIT_COLD_CALL [[gnu::cold, gnu::noinline, clang::preserve_most]]
#else
#define PLAIT_COLD_CALL [[gnu::cold, gnu::noinline]]
#endif

// g++ before 13 destroys some temporaries of an await expression twice (see detail/await_safe.hpp).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#define PLAIT_GCC12_AWAIT_BUG 1
#else
#define PLAIT_GCC12_AWAIT_BUG 0
#endif

namespace plait::detail {

[[noreturn]] void check_failed(const char* what, std::source_location at) noexcept;

}  // namespace plait::detail

// Guards memory: stays on in release. The message says what to do instead.
#define PLAIT_CHECK(condition, message)                                               \
  (static_cast<bool>(condition)                                                       \
       ? static_cast<void>(0)                                                         \
       : ::plait::detail::check_failed(message, std::source_location::current()))

#if PLAIT_ASSERTIONS
#define PLAIT_WITH_ASSERTIONS(...) __VA_ARGS__
#define PLAIT_ASSERT(condition, message) PLAIT_CHECK(condition, message)
#else
#define PLAIT_WITH_ASSERTIONS(...)
#define PLAIT_ASSERT(condition, message) static_cast<void>(0)
#endif
