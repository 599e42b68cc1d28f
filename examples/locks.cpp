// Why tasks that take turns on one thread need locks: what is read before an await may be old after it. The
// race, the mutex that ends it, the optimistic way, which looks afterwards, and a mutex for recursion.
#include <plait/plait.hpp>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <vector>

using namespace std::chrono_literals;
using plait::task;

// Between two awaits no other task runs. Here the others run between the read and the write.
static task<> add(int& total, plait::duration thinking) {
  int const seen = total;
  co_await plait::sleep_for(thinking);
  total = seen + 1;
}

// Pessimistic: nobody else may begin before this one has ended.
static task<> add_locked(int& total, plait::duration thinking, plait::mutex& lock) {
  auto const held = co_await lock.lock();
  co_await add(total, thinking);
}

struct versioned_total {
  int value = 0;
  int version = 0;
};

// Optimistic: everybody may begin, and who finds that another was faster begins again.
static task<> add_if_unchanged(versioned_total& total, plait::duration thinking, char const* who) {
  for (int attempt = 1;; ++attempt) {
    versioned_total const seen = total;
    co_await plait::sleep_for(thinking);
    if (total.version != seen.version) continue;
    total = {.value = seen.value + 1, .version = seen.version + 1};
    std::printf("  %s: written at attempt %d\n", who, attempt);
    co_return;
  }
}

struct folder {
  int files;
  std::vector<folder> inside;
};

// The holder of a recursive mutex may take it again, so that a function that locks may call itself.
static task<int> count(folder const& of, plait::recursive_mutex& tree, std::size_t& deepest) {
  auto const held = co_await tree.lock();
  if (tree.depth() > deepest) deepest = tree.depth();
  int files = of.files;
  for (folder const& inner : of.inside) files += co_await count(inner, tree, deepest);
  co_return files;
}

static task<> program() {
  int raced = 0;
  co_await plait::when_all(add(raced, 1ms), add(raced, 1ms), add(raced, 1ms));
  std::printf("three add 1, without a lock: %d\n", raced);

  int counted = 0;
  plait::mutex lock("total");
  auto const one_more = [&] { return add_locked(counted, 1ms, lock); };
  co_await plait::when_all(one_more(), one_more(), one_more());
  std::printf("with a mutex: %d\n", counted);

  std::puts("optimistic:");
  versioned_total total;
  co_await plait::when_all(add_if_unchanged(total, 40ms, "slow"), add_if_unchanged(total, 1ms, "quick"));
  std::printf("  together: %d\n", total.value);

  folder const root{1, {{2, {}}, {3, {{4, {}}}}}};
  plait::recursive_mutex tree("tree");
  std::size_t deepest = 0;
  int const files = co_await count(root, tree, deepest);
  std::printf("with a recursive mutex: %d files, locked %zu times over\n", files, deepest);
}

int main(int argc, char** argv) { return plait::run(argc, argv, program); }
