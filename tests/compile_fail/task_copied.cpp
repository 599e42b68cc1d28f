// expect: deleted
#include <plait/task.hpp>

plait::task<int> work() { co_return 1; }

plait::task<int> program() {
  plait::task<int> first = work();
  plait::task<int> second = first;
  co_return co_await std::move(second);
}
