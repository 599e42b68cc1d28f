// expect: a job in another process cannot change its argument
#include <plait/process_pool.hpp>

#include <vector>

void sort(std::vector<int>& numbers);

plait::task<> ask(plait::process_pool& pool) {
  std::vector<int> numbers{2, 1};
  co_await pool.run(sort, numbers);
}
