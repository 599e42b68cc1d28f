// only: gcc
// expect: g++ 12 would destroy this temporary twice
#include <plait/finally.hpp>

#include <string>

plait::task<> nothing() { co_return; }

plait::task<> program(std::string text) {
  co_await plait::finally(nothing, [text]() -> plait::task<> { co_return; });
}
