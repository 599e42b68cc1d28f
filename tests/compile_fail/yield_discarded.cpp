// expect: it is the await that gives way
#include <plait/sleep.hpp>
#include <plait/task.hpp>

plait::task<> program() {
  plait::yield();
  co_return;
}
