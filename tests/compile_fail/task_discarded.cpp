// expect: a task does nothing until you co_await it or spawn it
#include <plait/task.hpp>

plait::task<> work() { co_return; }

plait::task<> program() {
  work();
  co_return;
}
