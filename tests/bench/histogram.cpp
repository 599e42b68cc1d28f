#include <catch2/catch.hpp>

#include "method/histogram.hpp"

using namespace plait::lab;

TEST_CASE("histogram: every value is within 1.6 % of its bucket's middle") {
  for (std::uint64_t v = 1; v < (1ull << 62); v = v * 3 + 1) {
    double const middle = histogram::middle_of(histogram::bucket_of(v));
    CHECK(middle == Approx(static_cast<double>(v)).epsilon(0.016).margin(0.5));
  }
  CHECK(histogram::bucket_of(0) == 0);
  CHECK(histogram::bucket_of(63) + 1 == histogram::bucket_of(64));
}

TEST_CASE("histogram: a percentile without ten values beyond it is not given") {
  histogram h;
  for (std::uint64_t i = 1; i <= 999; ++i) h.add(i * 1000);
  CHECK_FALSE(h.percentile_ns(0.99).has_value());
  h.add(1'000'000);
  REQUIRE(h.percentile_ns(0.99).has_value());
  CHECK(*h.percentile_ns(0.99) == Approx(990'000).epsilon(0.02));
  CHECK(*h.percentile_ns(0.5) == Approx(500'000).epsilon(0.02));
  CHECK_FALSE(h.percentile_ns(0.999).has_value());
  CHECK_FALSE(histogram().percentile_ns(0.5).has_value());
}

TEST_CASE("histogram: merging adds counts, and never averages percentiles") {
  histogram slow, fast;
  fast.add(100, 990);
  slow.add(1'000'000, 1010);
  fast.merge(slow);
  CHECK(fast.count() == 2000);
  CHECK(fast.max_ns() == 1'000'000);
  CHECK(*fast.percentile_ns(0.5) == Approx(1e6).epsilon(0.016));
}

TEST_CASE("histogram: its buckets restore it") {
  histogram h;
  for (std::uint64_t v : {0ull, 5ull, 70ull, 123'456ull, 9'876'543'210ull}) h.add(v, v % 3 + 1);
  histogram const back = histogram::restore(h.buckets(), h.max_ns(), h.sum_ns());
  CHECK(back.buckets() == h.buckets());
  CHECK(back.count() == h.count());
  CHECK(back.max_ns() == h.max_ns());
  CHECK(back.mean_ns() == h.mean_ns());
}

TEST_CASE("histogram: a bucket that cannot be is ignored") {
  histogram const h = histogram::restore({{4'000'000'000u, 1}, {3, 2}}, 3, 6);
  CHECK(h.count() == 2);
}
