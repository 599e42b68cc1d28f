#include <catch2/catch.hpp>

#include <cmath>
#include <vector>

#include "method/rng.hpp"
#include "method/stats.hpp"

using namespace plait::lab;

TEST_CASE("quantile: interpolates as type 7 of Hyndman and Fan") {
  std::vector<double> const v{1, 2, 3, 4};
  CHECK(quantile(v, 0) == 1);
  CHECK(quantile(v, 0.25) == Approx(1.75));
  CHECK(quantile(v, 0.5) == Approx(2.5));
  CHECK(quantile(v, 1) == 4);
}

TEST_CASE("median: needs no order and takes the middle") {
  CHECK(median(std::vector<double>{9, 1, 5}) == 5);
  CHECK(median(std::vector<double>{4, 1, 3, 2}) == Approx(2.5));
  CHECK(median(std::vector<double>{7}) == 7);
  CHECK(std::isnan(median(std::vector<double>{})));
}

TEST_CASE("bootstrap: the same seed gives the same interval, another seed another") {
  std::vector<double> const v{10.1, 10.4, 9.8, 10.0, 10.9, 9.7, 10.2};
  interval const a = bootstrap_median(v, 7);
  interval const b = bootstrap_median(v, 7);
  CHECK(a.low == b.low);
  CHECK(a.high == b.high);
  CHECK(a.low <= median(v));
  CHECK(a.high >= median(v));
  CHECK(a.low >= 9.7);
  CHECK(a.high <= 10.9);
  CHECK(a.low < a.high);
}

TEST_CASE("bootstrap: equal values and single values have an interval of no width") {
  interval const equal = bootstrap_median(std::vector<double>(8, 3.5), 1);
  CHECK(equal.low == 3.5);
  CHECK(equal.high == 3.5);
  interval const single = bootstrap_median(std::vector<double>{2}, 1);
  CHECK(single.low == 2);
  CHECK(single.high == 2);
}

TEST_CASE("bootstrap: covers the median of a known distribution about as often as it says") {
  // Uniform on [0, 1): the median is 0.5. With n = 15 the percentile interval covers it in about
  // 93 to 97 % of the samples; 400 samples have a standard error of about 1 %.
  rng random(42);
  int covered = 0;
  for (int trial = 0; trial < 400; ++trial) {
    std::vector<double> v(15);
    for (double& x : v) x = static_cast<double>(random.below(1'000'000)) / 1e6;
    interval const i = bootstrap_median(v, 1, 1000);
    covered += i.low <= 0.5 && 0.5 <= i.high ? 1 : 0;
  }
  CHECK(covered > 360);
  CHECK(covered < 398);
}

TEST_CASE("tukey: outliers beyond 1.5 and 3 interquartile ranges are counted") {
  // Quartiles 3 and 7, so the fences stand at -3, 13 and at -9, 19.
  std::vector<double> const inside{1, 2, 3, 4, 5, 6, 7, 8, 9};
  CHECK(tukey_outliers(inside).mild == 0);
  CHECK(tukey_outliers(inside).severe == 0);
  std::vector<double> const mild{1, 2, 3, 4, 5, 6, 7, 8, 14};
  CHECK(tukey_outliers(mild).mild == 1);
  CHECK(tukey_outliers(mild).severe == 0);
  std::vector<double> const severe{1, 2, 3, 4, 5, 6, 7, 8, 100};
  CHECK(tukey_outliers(severe).mild == 0);
  CHECK(tukey_outliers(severe).severe == 1);
  CHECK(tukey_outliers(std::vector<double>{1, 1, 100}).severe == 0);
}

TEST_CASE("mann-whitney: separated samples give the textbook's smallest p") {
  std::vector<double> const low{1, 2, 3, 4, 5, 6, 7};
  std::vector<double> const high{11, 12, 13, 14, 15, 16, 17};
  auto const first = [](std::vector<double> const& v, std::size_t n) {
    return std::vector<double>(v.begin(), v.begin() + static_cast<long>(n));
  };
  CHECK(mann_whitney_p(first(low, 3), first(high, 3)) == Approx(0.1));
  CHECK(mann_whitney_p(first(low, 4), first(high, 4)) == Approx(2.0 / 70));
  CHECK(mann_whitney_p(first(low, 5), first(high, 5)) == Approx(2.0 / 252));
  CHECK(mann_whitney_p(low, high) == Approx(2.0 / 3432));
  CHECK(mann_whitney_p(high, low) == Approx(2.0 / 3432));
}

TEST_CASE("mann-whitney: agrees with R's wilcox.test on its manual's example") {
  // ?wilcox.test, Hollander and Wolfe (1973), page 69: W = 35, one-sided p = 0.1272.
  std::vector<double> const x{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
  std::vector<double> const y{1.15, 0.88, 0.90, 0.74, 1.21};
  CHECK(mann_whitney_p(x, y) == Approx(0.2544).margin(0.0001));
}

TEST_CASE("mann-whitney: ties are exact, and equal samples show nothing") {
  // Pooled midranks of {1, 1} and {1, 2}: 2, 2, 2, 4. All six choices of two: sums 4, 4, 4, 6, 6,
  // 6, all one from the expected 5: p = 1.
  CHECK(mann_whitney_p(std::vector<double>{1, 1}, std::vector<double>{1, 2}) == Approx(1));
  CHECK(mann_whitney_p(std::vector<double>(6, 3), std::vector<double>(6, 3)) == Approx(1));
  CHECK(mann_whitney_p(std::vector<double>{}, std::vector<double>{1}) == 1);
}

TEST_CASE("mann-whitney: the normal approximation is near the exact value") {
  std::vector<double> a, b;
  rng random(5);
  for (int i = 0; i < 25; ++i) {
    a.push_back(static_cast<double>(random.below(1'000'000)));
    b.push_back(static_cast<double>(random.below(1'000'000)) + 250'000);
  }
  double const exact = mann_whitney_p(a, b, 60);
  double const normal = mann_whitney_p(a, b, 0);
  CHECK(normal == Approx(exact).epsilon(0.1).margin(0.002));
}

TEST_CASE("mann-whitney: two samples of one distribution rarely differ") {
  rng random(11);
  int shown = 0;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> a(10), b(10);
    for (double& x : a) x = static_cast<double>(random.next() >> 20);
    for (double& x : b) x = static_cast<double>(random.next() >> 20);
    shown += mann_whitney_p(a, b) < 0.05 ? 1 : 0;
  }
  CHECK(shown <= 20);
}

TEST_CASE("holm: adjusts step by step, in the order given") {
  // Holm (1979): sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, kept from falling.
  auto const p = holm(std::vector<double>{0.01, 0.04, 0.03, 0.005});
  REQUIRE(p.size() == 4);
  CHECK(p[0] == Approx(0.03));
  CHECK(p[1] == Approx(0.06));
  CHECK(p[2] == Approx(0.06));
  CHECK(p[3] == Approx(0.02));
  CHECK(holm(std::vector<double>{0.9, 0.8})[0] == 1);
  CHECK(holm(std::vector<double>{}).empty());
}

TEST_CASE("repetitions: how many a table needs before anything can be significant") {
  CHECK(smallest_p(3) == Approx(0.1));
  CHECK(repetitions_needed(1) == 4);
  CHECK(repetitions_needed(2) == 5);
  CHECK(repetitions_needed(21) == 6);
  CHECK(smallest_p(repetitions_needed(200)) * 200 <= 0.05);
}

TEST_CASE("rng: a seed gives one sequence on every standard library") {
  rng random(1234567);
  CHECK(random.next() == 6457827717110365317u);  // the reference implementation's first two
  CHECK(random.next() == 3203168211198807973u);
  for (int i = 0; i < 1000; ++i) CHECK(random.below(7) < 7);
}
