// expect: a lambda with captures cannot travel to another process
#include <plait/process_pool.hpp>

plait::task<int> ask(plait::process_pool& pool, int factor) {
  auto const multiply = [factor](int n) { return factor * n; };
  int const n = co_await pool.run(multiply, 3);
  co_return n;
}
