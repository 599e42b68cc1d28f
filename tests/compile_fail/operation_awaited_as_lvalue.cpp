// expect: await_transform
#include <plait/sleep.hpp>
#include <plait/task.hpp>

plait::task<> program() {
  auto nap = plait::sleep_for(std::chrono::seconds(1));
  co_await nap;
}
