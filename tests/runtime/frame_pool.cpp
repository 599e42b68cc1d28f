#include <plait/detail/frame_pool.hpp>

#include <plait/task.hpp>
#include <plait/testing/manual_driver.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using plait::detail::frame_pool;

namespace {

// Made before the pool's cleaner, which comes with the first block, and so destroyed after it.
struct frees_at_thread_end {
  frees_at_thread_end() noexcept {}
  ~frees_at_thread_end() {
    if (block != nullptr) plait::detail::frames_here.put(block, 64);
  }
  void* block = nullptr;
};
thread_local frees_at_thread_end freed_late;

std::vector<void*> take(frame_pool& pool, std::size_t how_many, std::size_t bytes) {
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < how_many; ++i) {
    blocks.push_back(pool.get(bytes));
    std::memset(blocks.back(), 0xab, bytes);
  }
  return blocks;
}

void give_back(frame_pool& pool, std::vector<void*> const& blocks, std::size_t bytes) {
  for (void* const b : blocks) pool.put(b, bytes);
}

// On a thread of its own, whose pool is drained when it ends.
template <class Fn>
void on_fresh_thread(Fn fn) {
  std::thread(fn).join();
}

}  // namespace

TEST_CASE("frame pool: a block that was given back is the next one of its size") {
  bool same = false;
  bool other_size_differs = false;
  on_fresh_thread([&] {
    frame_pool& pool = plait::detail::frames_here;
    void* const first = pool.get(100);
    pool.put(first, 100);
    void* const bigger = pool.get(400);
    other_size_differs = bigger != first;
    void* const again = pool.get(97);  // the same size class
    same = again == first;
    pool.put(again, 97);
    pool.put(bigger, 400);
  });
  CHECK(same);
  CHECK(other_size_differs);
}

TEST_CASE("frame pool: blocks are aligned for anything that fits a frame") {
  bool aligned = true;
  on_fresh_thread([&] {
    frame_pool& pool = plait::detail::frames_here;
    for (std::size_t bytes = 1; bytes < 4096; bytes += 7) {
      void* const block = pool.get(bytes);
      aligned = aligned && reinterpret_cast<std::uintptr_t>(block) % (2 * sizeof(void*)) == 0;
      pool.put(block, bytes);
    }
  });
  CHECK(aligned);
}

TEST_CASE("frame pool: live blocks are distinct and hold their whole size") {
  std::size_t distinct = 0;
  on_fresh_thread([&] {
    frame_pool& pool = plait::detail::frames_here;
    auto const first = take(pool, 200, 160);
    give_back(pool, first, 160);
    auto const second = take(pool, 300, 160);
    distinct = std::set<void*>(second.begin(), second.end()).size();
    give_back(pool, second, 160);
  });
  CHECK(distinct == 300);
}

TEST_CASE("frame pool: each size keeps a bounded number of bytes") {
  constexpr std::size_t bytes = 1024;
  constexpr std::size_t kept_max = frame_pool::kept_max(bytes);
  std::size_t kept = 0;
  on_fresh_thread([&] {
    frame_pool& pool = plait::detail::frames_here;
    auto const many = take(pool, 4 * kept_max, bytes);
    std::set<void*> const ours(many.begin(), many.end());
    give_back(pool, many, bytes);
    kept = pool.kept(bytes);
  });
  CHECK(kept > kept_max / 2);
  CHECK(kept <= kept_max);
}

TEST_CASE("frame pool: blocks above the largest class come from malloc and go back there") {
  std::size_t kept = 1;
  on_fresh_thread([&] {
    frame_pool& pool = plait::detail::frames_here;
    auto const blocks = take(pool, 10, 100'000);
    give_back(pool, blocks, 100'000);
    kept = pool.kept(100'000);
  });
  CHECK(kept == 0);
}

TEST_CASE(
    "frame pool: blocks freed by another thread stay with that thread, and drift is bounded") {
  constexpr int rounds = 50;
  constexpr std::size_t each = 2'000;
  constexpr std::size_t bytes = 512;
  std::size_t kept_by_consumer = 0;
  std::size_t kept_by_producer = each;
  on_fresh_thread([&] {
    for (int i = 0; i < rounds; ++i) {
      auto const blocks = take(plait::detail::frames_here, each, bytes);
      std::thread([&] {
        give_back(plait::detail::frames_here, blocks, bytes);
        kept_by_consumer = plait::detail::frames_here.kept(bytes);
      }).join();
    }
    kept_by_producer = plait::detail::frames_here.kept(bytes);
  });
  CHECK(kept_by_consumer == frame_pool::kept_max(bytes));
  CHECK(kept_by_producer < frame_pool::run_bytes / bytes);  // what is left of the last run
}

TEST_CASE("frame pool: a task made on one thread may be dropped on another") {
  auto const body = [](int n) -> plait::task<int> { co_return n; };
  std::vector<plait::task<int>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(body(i));
  std::thread([dropped = std::move(tasks)]() mutable { dropped.clear(); }).join();
  plait::testing::manual_scheduler m;
  CHECK(m.run(body, 3) == 3);
}

TEST_CASE("frame pool: a thread's end gives everything back, also what is freed even later") {
  std::thread([] { freed_late.block = plait::detail::frames_here.get(64); }).join();
  SUCCEED("the leak checker and the ledger judge");
}
