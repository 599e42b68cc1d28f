#include <plait/plait.hpp>

#include <cstdio>

static plait::task<int> answer() { co_return 42; }

static plait::task<int> consumer() {
  int const value = co_await answer();
  std::printf("answer %d\n", value);
  co_return value == 42 ? 0 : 1;
}

int main() { return plait::run(consumer); }
