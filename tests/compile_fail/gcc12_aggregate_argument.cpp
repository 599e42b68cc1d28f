// only: gcc
// expect: g++ 12 would destroy this temporary twice
#include <plait/task_group.hpp>

#include <string>

struct request {
  std::string path;
};

plait::task<> serve(request) { co_return; }

plait::task<> program(plait::task_group& group) { co_await group.spawn(serve, request{"/"}); }
