#include <plait/detail/timer_wheel.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using plait::time_point;
using plait::detail::timer_wheel;

namespace {

constexpr time_point start{1000s};
constexpr std::size_t all = static_cast<std::size_t>(-1);

// Notes in which order timers fire.
struct noting_timer : plait::detail::timer {
  explicit noting_timer(std::vector<int>& out, int n) noexcept
      : timer([](plait::detail::timer& t) noexcept {
          auto& self = static_cast<noting_timer&>(t);
          self.fired.push_back(self.name);
        }),
        fired(out),
        name(n) {}
  std::vector<int>& fired;
  int name;
};

// What a wheel has to do, in the plainest way: a list in the order of (deadline, when armed).
class oracle {
 public:
  void arm(int name, time_point deadline) {
    auto const key = std::make_pair(deadline, ++order_);
    armed_[key] = name;
    keys_[name] = key;
  }
  void cancel(int name) {
    armed_.erase(keys_.at(name));
    keys_.erase(name);
  }
  bool armed(int name) const { return keys_.count(name) != 0; }
  std::vector<int> fire_due(time_point now) {
    std::vector<int> fired;
    while (!armed_.empty() && armed_.begin()->first.first <= now) {
      fired.push_back(armed_.begin()->second);
      keys_.erase(armed_.begin()->second);
      armed_.erase(armed_.begin());
    }
    return fired;
  }
  time_point earliest() const {
    return armed_.empty() ? plait::no_deadline : armed_.begin()->first.first;
  }
  std::size_t size() const { return armed_.size(); }

 private:
  std::map<std::pair<time_point, long>, int> armed_;
  std::map<int, std::pair<time_point, long>> keys_;
  long order_ = 0;
};

// Durations of every magnitude, with many ties and many in the past.
plait::duration some_duration(std::mt19937_64& random) {
  int const bits = static_cast<int>(random() % 62);
  auto const d = static_cast<std::int64_t>(random() & ((std::uint64_t{1} << bits) - 1));
  switch (random() % 4) {
    case 0:
      return plait::duration(d >> 20 << 20);
    case 1:
      return plait::duration(static_cast<std::int64_t>(random() % 300'000));
    case 2:
      return plait::duration(-static_cast<std::int64_t>(random() % 1000));
    default:
      return plait::duration(d);
  }
}

plait::duration some_advance(std::mt19937_64& random) {
  int const bits = static_cast<int>(random() % 45);
  return plait::duration(static_cast<std::int64_t>(random() & ((std::uint64_t{1} << bits) - 1)));
}

// One seed: random arms, cancels and advances. Returns what went wrong.
std::string compare_with_oracle(std::uint64_t seed, int steps) {
  std::mt19937_64 random(seed);
  time_point now = start;
  timer_wheel wheel(now);
  oracle expected;
  std::vector<int> fired;
  std::vector<std::unique_ptr<noting_timer>> timers;
  for (int i = 0; i < 40; ++i) timers.push_back(std::make_unique<noting_timer>(fired, i));
  std::string wrong;
  for (int step = 0; step < steps && wrong.empty(); ++step) {
    auto& timer = *timers[random() % timers.size()];
    if (random() % 3 != 0) {
      if (timer.armed()) {
        wheel.cancel(timer);
        expected.cancel(timer.name);
      } else {
        time_point const deadline = now + some_duration(random);
        wheel.arm(timer, deadline);
        expected.arm(timer.name, deadline);
      }
    } else {
      now += some_advance(random);
      fired.clear();
      wheel.fire_due(now, all);
      if (fired != expected.fire_due(now)) wrong = "fired others, or in another order";
    }
    if (wheel.armed() != expected.size()) wrong = "another number of armed timers";
    time_point const next = wheel.next_deadline();
    if (next > expected.earliest()) wrong = "would sleep past a deadline";
    if ((next == plait::no_deadline) != (expected.size() == 0))
      wrong = "does not know that it is empty";
    if (!wrong.empty())
      wrong += " (seed " + std::to_string(seed) + ", step " + std::to_string(step) + ")";
  }
  for (auto& t : timers) {
    if (t->armed()) wheel.cancel(*t);
  }
  return wrong;
}

}  // namespace

TEST_CASE("timer wheel: it does what a sorted list does, over 10,000 seeds") {
  std::string wrong;
  for (std::uint64_t seed = 1; seed <= 10'000 && wrong.empty(); ++seed) {
    wrong = compare_with_oracle(seed, 60);
  }
  CHECK(wrong == "");
}

TEST_CASE("timer wheel: it does what a sorted list does, over long runs") {
  std::string wrong;
  for (std::uint64_t seed = 1; seed <= 5 && wrong.empty(); ++seed) {
    wrong = compare_with_oracle(1'000'000 + seed, 20'000);
  }
  CHECK(wrong == "");
}

TEST_CASE("timer wheel: a timer never fires early, not by a nanosecond") {
  timer_wheel wheel(start);
  std::vector<int> fired;
  noting_timer t(fired, 1);
  for (auto const after : {1ns, 65'535ns, 65'536ns, 65'537ns, 999'999'999ns}) {
    fired.clear();
    wheel.arm(t, start + after);
    wheel.fire_due(start + after - 1ns, all);
    CHECK(fired.empty());
    wheel.cancel(t);
  }
  // The wheel has moved on: what was in the future is past now, and fires at once.
  wheel.arm(t, start);
  wheel.fire_due(start + 1h, all);
  CHECK(fired == std::vector<int>{1});
}

TEST_CASE("timer wheel: equal deadlines fire in the order in which they were armed") {
  timer_wheel wheel(start);
  std::vector<int> fired;
  std::vector<std::unique_ptr<noting_timer>> timers;
  time_point const deadline = start + 10s;
  for (int i = 0; i < 100; ++i) {
    timers.push_back(std::make_unique<noting_timer>(fired, i));
    wheel.arm(*timers.back(), deadline);
    // The later ones are armed nearer to the deadline, on lower levels of the wheel.
    wheel.fire_due(start + i * 99ms, all);
  }
  wheel.fire_due(deadline, all);
  CHECK(fired.size() == 100);
  CHECK(std::is_sorted(fired.begin(), fired.end()));
}

TEST_CASE("timer wheel: deadlines at both ends of time") {
  timer_wheel wheel(start);
  std::vector<int> fired;
  noting_timer never(fired, 1);
  noting_timer almost_never(fired, 2);
  noting_timer long_ago(fired, 3);
  wheel.arm(never, time_point::max());
  wheel.arm(almost_never, time_point::max() - 1ns);
  wheel.arm(long_ago, time_point::min());
  wheel.fire_due(start, all);
  CHECK(fired == std::vector<int>{3});
  CHECK(wheel.next_deadline() <= time_point::max() - 1ns);
  wheel.fire_due(time_point::max() - 1ns, all);
  CHECK(fired == std::vector<int>{3, 2});
  wheel.fire_due(time_point::max(), all);
  CHECK(fired == std::vector<int>{3, 2, 1});
  CHECK(wheel.armed() == 0);
}

TEST_CASE("timer wheel: a timer may arm itself and cancel others while it fires") {
  struct busy_timer : plait::detail::timer {
    busy_timer(timer_wheel& w, plait::detail::timer& v, time_point d) noexcept
        : timer([](plait::detail::timer& t) noexcept {
            auto& self = static_cast<busy_timer&>(t);
            ++self.rings;
            if (self.victim.armed()) self.wheel.cancel(self.victim);
            if (self.rings < 3) self.wheel.arm(self, self.again);
          }),
          wheel(w),
          victim(v),
          again(d) {}
    timer_wheel& wheel;
    plait::detail::timer& victim;
    time_point again;
    int rings = 0;
  };
  timer_wheel wheel(start);
  std::vector<int> fired;
  noting_timer victim(fired, 1);
  busy_timer t(wheel, victim, start + 1ms);
  wheel.arm(t, start + 1ms);
  wheel.arm(victim, start + 1ms);
  wheel.fire_due(start + 1ms, all);
  CHECK(t.rings == 3);
  CHECK(fired.empty());
  CHECK(wheel.armed() == 0);
}

TEST_CASE("timer wheel: it fires at most as many as it is asked to, and the rest next time") {
  timer_wheel wheel(start);
  std::vector<int> fired;
  std::vector<std::unique_ptr<noting_timer>> timers;
  for (int i = 0; i < 10; ++i) {
    timers.push_back(std::make_unique<noting_timer>(fired, i));
    wheel.arm(*timers.back(), start + 1s);
  }
  CHECK(wheel.fire_due(start + 2s, 4) == 4);
  CHECK(fired == std::vector<int>{0, 1, 2, 3});
  CHECK(wheel.next_deadline() <= start + 2s);
  CHECK(wheel.fire_due(start + 2s, all) == 6);
  CHECK(wheel.armed() == 0);
}

TEST_CASE("timer wheel: a million timers at once, half of them cancelled") {
  constexpr int many = 1'000'000;
  struct counting_timer : plait::detail::timer {
    counting_timer() noexcept
        : timer([](plait::detail::timer& t) noexcept {
            auto& self = static_cast<counting_timer&>(t);
            ++*self.fired;
            *self.in_order = *self.in_order && self.deadline >= *self.last;
            *self.last = self.deadline;
          }) {}
    long* fired = nullptr;
    time_point* last = nullptr;
    bool* in_order = nullptr;
  };
  timer_wheel wheel(start);
  long fired = 0;
  bool in_order = true;
  time_point last = start;
  std::mt19937_64 random(7);
  auto const timers = std::make_unique<counting_timer[]>(many);
  for (int i = 0; i < many; ++i) {
    timers[i].fired = &fired;
    timers[i].last = &last;
    timers[i].in_order = &in_order;
    wheel.arm(timers[i],
              start + plait::duration(static_cast<std::int64_t>(random() % 60'000'000'000)));
  }
  for (int i = 0; i < many; i += 2) wheel.cancel(timers[i]);
  CHECK(wheel.armed() == many / 2);
  for (time_point now = start; wheel.armed() != 0; now += 1s) wheel.fire_due(now, all);
  CHECK(fired == many / 2);
  CHECK(in_order);
}

TEST_CASE("timer wheel: a million timers in one tick, the latest armed first") {
  constexpr int many = 1'000'000;
  timer_wheel wheel(start);
  long fired = 0;
  struct plain_timer : plait::detail::timer {
    plain_timer() noexcept
        : timer([](plait::detail::timer& t) noexcept { ++*static_cast<plain_timer&>(t).count; }) {}
    long* count = nullptr;
  };
  auto const timers = std::make_unique<plain_timer[]>(many);
  // 4 s is where a slot of a higher level begins.
  time_point const tick{plait::duration((start + 4s).time_since_epoch().count() >> 28 << 28)};
  for (int i = 0; i < many; ++i) {
    timers[i].count = &fired;
    wheel.arm(timers[i], tick + plait::duration((many - i) % 60'000));
  }
  wheel.fire_due(tick + 1ms, all);
  CHECK(fired == many);
}
