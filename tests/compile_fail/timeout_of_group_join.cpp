// expect: a timeout cannot end the join of a group
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

using namespace std::chrono_literals;

plait::task<> program(plait::task_group& group) {
  co_await plait::with_timeout(1s, group.join());
}
