#include <plait/generator.hpp>

#include "support/operations.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

using plait::generator;
using plait::test::counted;

namespace {

generator<int> count_up(int first) {
  for (int i = first;; ++i) co_yield i;
}
generator<int> up_to(int last, std::string& log) {
  log += 'b';
  for (int i = 1; i <= last; ++i) co_yield i;
  log += 'e';
}
generator<std::unique_ptr<int>> boxes(int how_many) {
  for (int i = 0; i < how_many; ++i) co_yield std::make_unique<int>(i);
}
generator<int&> each_of(std::vector<int>& numbers) {
  for (int& n : numbers) co_yield n;
}
generator<std::string const&> names() {
  std::string const first = "ann";
  co_yield first;
  co_yield "bob";
}
generator<std::string> twice(std::string text) {
  co_yield text;
  co_yield text;
}
generator<int> fail_after(int good) {
  counted const local;
  for (int i = 0; i < good; ++i) co_yield i;
  throw std::out_of_range("no more");
}
generator<int> with_a_local() {
  counted const local(1);
  co_yield local.value();
  co_yield 2;
}
// Inside another one.
generator<int> both(int each) {
  std::string log;
  for (int const n : up_to(each, log)) co_yield n;
  for (int const n : up_to(each, log)) co_yield -n;
}

static_assert(std::ranges::input_range<generator<int>>);
static_assert(std::ranges::view<generator<int>>);
static_assert(std::is_same_v<std::ranges::range_reference_t<generator<int>>, int&&>);
static_assert(std::is_same_v<std::ranges::range_reference_t<generator<int&>>, int&>);

}  // namespace

TEST_CASE("generator: it gives its values in order, and ends") {
  std::vector<int> got;
  for (int const n : both(2)) got.push_back(n);
  CHECK(got == std::vector{1, 2, -1, -2});
}

TEST_CASE("generator: nothing of it runs before it is asked, and no more than was asked for") {
  std::string log;
  auto numbers = up_to(1, log);
  CHECK(log.empty());
  auto at = numbers.begin();
  CHECK(log == "b");
  CHECK(*at == 1);
  ++at;
  CHECK(log == "be");
  CHECK(at == numbers.end());
}

TEST_CASE("generator: it stands before the views of the standard library, without an end") {
  auto const is_even = [](int n) { return n % 2 == 0; };
  std::vector<int> got;
  for (int const n : count_up(1) | std::views::filter(is_even) | std::views::take(3)) got.push_back(n);
  CHECK(got == std::vector{2, 4, 6});
}

TEST_CASE("generator: values that can only be moved come out by a move") {
  std::vector<std::unique_ptr<int>> got;
  for (auto&& box : boxes(2)) got.push_back(std::move(box));
  REQUIRE(got.size() == 2);
  CHECK(*got[1] == 1);
}

TEST_CASE("generator: of references it gives the very object") {
  std::vector<int> numbers{1, 2, 3};
  for (int& n : each_of(numbers)) n *= 10;
  CHECK(numbers == std::vector{10, 20, 30});
  std::string together;
  for (std::string const& name : names()) together += name;
  CHECK(together == "annbob");
}

TEST_CASE("generator: who moves from what was yielded takes nothing from the generator's own variable") {
  std::vector<std::string> got;
  for (auto&& text : twice("a text that is too long for the place within a string")) {
    got.push_back(std::move(text));
  }
  REQUIRE(got.size() == 2);
  CHECK(got[0] == got[1]);
  CHECK_FALSE(got[1].empty());
}

TEST_CASE("generator: what it throws comes out where the next value was asked for, and ends it") {
  auto numbers = fail_after(1);
  auto at = numbers.begin();
  CHECK(*at == 0);
  CHECK_THROWS_AS(++at, std::out_of_range);
  CHECK(at == numbers.end());
  CHECK(counted::alive == 0);
  auto at_once = fail_after(0);
  CHECK_THROWS_AS(at_once.begin(), std::out_of_range);
}

TEST_CASE("generator: one that is left half-way destroys its locals, and one that never began has none") {
  {
    auto const never = with_a_local();
    auto numbers = with_a_local();
    CHECK(*numbers.begin() == 1);
    CHECK(counted::alive == 1);
    auto moved = std::move(numbers);
    CHECK(counted::alive == 1);
    moved = with_a_local();
    CHECK(counted::alive == 0);
  }
  CHECK(counted::alive == 0);
}
