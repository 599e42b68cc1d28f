// expect: a job in another process cannot return a reference
#include <plait/process_pool.hpp>

int& counter();

plait::task<> ask(plait::process_pool& pool) { co_await pool.run(counter); }
