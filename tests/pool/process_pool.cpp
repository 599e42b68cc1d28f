#include <plait/process_pool.hpp>

#include <plait/run.hpp>

#include <catch2/catch.hpp>

using namespace plait;

namespace {

int doubled(int n) { return 2 * n; }

template <class Fn>
auto run_here(Fn fn) {
  return plait::run(std::ref(fn));
}

}  // namespace

TEST_CASE("process pool: a job's value comes back to the task that awaits it") {
  run_here([]() -> task<> {
    process_pool pool({.workers = 2});
    CHECK(co_await pool.run(doubled, 21) == 42);
    CHECK(co_await pool.run([](std::string_view s, int n) { return std::string(s) + std::to_string(n); }, "a", 4) == "a4");
    co_await pool.shutdown();
  });
}
