// only: gcc
// expect: g++ 12 would destroy this temporary twice
#include <plait/task_group.hpp>

#include <string>

plait::task<> program(plait::task_group& group, std::string text) {
  co_await group.spawn([text]() -> plait::task<> { co_return; });
}
