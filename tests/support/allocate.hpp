// Memory that testing::allocation_fault can refuse in every build.
#pragma once

#include <plait/detail/frame_pool.hpp>

#include <new>

// ThreadSanitizer brings an operator new that cannot be replaced: there only frames can fail.
#if defined(__SANITIZE_THREAD__)
#define PLAIT_TEST_OPERATOR_NEW 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PLAIT_TEST_OPERATOR_NEW 0
#endif
#endif
#ifndef PLAIT_TEST_OPERATOR_NEW
#define PLAIT_TEST_OPERATOR_NEW 1
#endif

namespace plait::test {

// Takes some and gives it back, or throws bad_alloc. The memory of a container clang may do without.
inline void allocate_something() {
#if PLAIT_TEST_OPERATOR_NEW
  ::operator delete(::operator new(64));
#else
  detail::free_frame(detail::allocate_frame(64), 64);
#endif
}

}  // namespace plait::test
