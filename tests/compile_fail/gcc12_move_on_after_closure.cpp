// only: gcc
// expect: g++ 12 would destroy this temporary twice
#include <plait/cancel.hpp>

#include <string>

plait::task<> program(std::string text) {
  using namespace std::chrono_literals;
  bool const finished =
      co_await plait::move_on_after(1ms, [text]() -> plait::task<> { co_return; });
  static_cast<void>(finished);
}
