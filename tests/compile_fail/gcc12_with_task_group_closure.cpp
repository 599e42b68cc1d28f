// only: gcc
// expect: g++ 12 would destroy this temporary twice
// expect: give the lambda (or the aggregate) a name before the co_await
#include <plait/task_group.hpp>

#include <string>

plait::task<> program(std::string text) {
  co_await plait::with_task_group([text](plait::task_group&) -> plait::task<> { co_return; });
}
