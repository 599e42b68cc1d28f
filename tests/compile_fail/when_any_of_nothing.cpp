// expect: sizeof...(As) > 0
#include <plait/when.hpp>

plait::task<> program() { co_await plait::when_any(); }
