#include <plait/sync/versioned.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using plait::versioned;

namespace {

struct point {
  long x = 0;
  long y = 0;
  char tag = 'a';
};

}  // namespace

TEST_CASE("versioned: a snapshot has the value and its version, and stays as it was") {
  versioned<point> shared(point{1, 2, 'b'});
  auto const before = shared.load();
  CHECK(before.version() == 0);
  auto const after = shared.update([](point p) {
    ++p.x;
    return p;
  });
  CHECK(after.version() == 1);
  CHECK(after->x == 2);
  CHECK(after->tag == 'b');
  CHECK(before->x == 1);
  CHECK(shared.version() == 1);
  CHECK(shared.load()->x == 2);
}

TEST_CASE("versioned: values that are not trivially copyable, and small and odd ones") {
  versioned<std::string> text("a text that does not fit into the string itself");
  auto const old = text.load();
  text.update([](std::string const& s) { return s + "!"; });
  CHECK(text.load()->back() == '!');
  CHECK(old->back() == 'f');
  CHECK(text.version() == 1);
  versioned<std::unique_ptr<int>> box(std::make_unique<int>(1));
  box.update([](std::unique_ptr<int> const& b) { return std::make_unique<int>(*b + 1); });
  CHECK(**box.load() == 2);
  versioned<bool> flag;
  CHECK_FALSE(*flag.load());
  CHECK(flag.compare_exchange(0, true));
  CHECK(*flag.load());
}

TEST_CASE("versioned: compare_exchange changes it only at that version, and counts what comes too late") {
  versioned<int> number(1);
  auto const seen = number.load();
  CHECK(number.compare_exchange(seen.version(), 2));
  CHECK_FALSE(number.compare_exchange(seen.version(), 3));
  CHECK(*number.load() == 2);
  CHECK(number.conflicts() == 1);
  versioned<std::string> text("a");
  CHECK_FALSE(text.compare_exchange(1, "b"));
  CHECK(*text.load() == "a");
  CHECK(text.conflicts() == 1);
}

TEST_CASE("versioned: an update that was overtaken begins again, with the newer value") {
  versioned<int> number(10);
  std::vector<int> seen;
  auto const result = number.update([&](int n) {
    seen.push_back(n);
    if (seen.size() == 1) number.update([](int m) { return m + 100; });
    return n + 1;
  });
  CHECK(seen == std::vector{10, 110});
  CHECK(*result == 111);
  CHECK(*number.load() == 111);
  CHECK(number.version() == 2);
  CHECK(number.conflicts() == 1);
}

TEST_CASE("versioned: what the function throws comes out, and nothing has changed") {
  versioned<int> number(1);
  CHECK_THROWS_AS(number.update([](int) -> int { throw std::out_of_range("no"); }), std::out_of_range);
  CHECK(number.version() == 0);
  CHECK(*number.load() == 1);
  CHECK(number.conflicts() == 0);
}

TEST_CASE("versioned: among threads no update is lost, and no snapshot is torn") {
  constexpr int rounds = 20'000;
  constexpr int writers = 3;
  versioned<point> shared;
  versioned<std::string> text;
  std::atomic<int> torn = 0;
  std::atomic<bool> over = false;
  std::thread reader([&] {
    while (!over) {
      auto const p = shared.load();
      if (p->x != -p->y || p->x != static_cast<long>(p.version())) ++torn;
      auto const t = text.load();
      if (t->size() != t.version()) ++torn;
    }
  });
  std::vector<std::thread> writing;
  for (int w = 0; w < writers; ++w) {
    writing.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        shared.update([](point p) { return point{p.x + 1, p.y - 1, p.tag}; });
        if (i % 100 == 0) text.update([](std::string const& s) { return s + 'x'; });
      }
    });
  }
  for (auto& t : writing) t.join();
  over = true;
  reader.join();
  CHECK(torn == 0);
  CHECK(shared.load()->x == writers * rounds);
  CHECK(shared.version() == writers * rounds);
  CHECK(text.load()->size() == writers * rounds / 100);
}
