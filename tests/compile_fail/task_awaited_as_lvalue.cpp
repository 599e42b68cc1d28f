// expect: await_transform
#include <plait/task.hpp>

plait::task<int> work() { co_return 1; }

plait::task<int> program() {
  plait::task<int> once = work();
  co_return co_await once;
}
