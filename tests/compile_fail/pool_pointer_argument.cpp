// expect: a pointer or reference means nothing in another process
#include <plait/process_pool.hpp>

int first(int const* numbers) { return numbers[0]; }

plait::task<int> ask(plait::process_pool& pool, int const* numbers) {
  int const n = co_await pool.run(first, numbers);
  co_return n;
}
