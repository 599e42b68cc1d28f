// Stands in front of the C++ runtime's __cxa_throw, in the test binaries only.
#include "support/throw_count.hpp"

#include <typeinfo>

#include <dlfcn.h>

namespace {

thread_local constinit long throws = 0;

using throw_fn = void (*)(void*, std::type_info*, void (*)(void*));

}  // namespace

long plait::test::throws_on_this_thread() noexcept { return throws; }

extern "C" [[noreturn]] void __cxa_throw(void* object, std::type_info* type,
                                         void (*destroy)(void*)) {
  ++throws;
  static auto const real = reinterpret_cast<throw_fn>(::dlsym(RTLD_NEXT, "__cxa_throw"));
  real(object, type, destroy);
  __builtin_unreachable();
}
