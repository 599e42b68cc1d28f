// expect: task_function
#include <plait/task_group.hpp>

int no_task() { return 1; }

void program(plait::task_group& group) { group.spawn(no_task); }
