#include "method/window.hpp"

#include <ctime>

namespace plait::lab {

std::uint64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(t.tv_nsec);
}

window::window(cell const& c)
    : warmup_ns_(static_cast<std::uint64_t>(c.warmup_s * 1e9)),
      window_ns_(static_cast<std::uint64_t>(c.window_s * 1e9)) {}

void window::open() {
  phase_ = phase::counting;
  ops_ = 0;
  usage_began_ = usage_now();
  began_ = now_ns();
}

bool window::more() {
  std::uint64_t const now = now_ns();
  switch (phase_) {
    case phase::before:
      if (warmup_ns_ == 0) {
        open();
      } else {
        phase_ = phase::warming;
        began_ = now;
      }
      return true;
    case phase::warming:
      if (now - began_ >= warmup_ns_) open();
      return true;
    case phase::counting:
      if (half_at_ == 0 && now - began_ >= window_ns_ / 2) {
        half_at_ = now;
        half_ops_ = ops_;
      }
      if (now - began_ < window_ns_) return true;
      ended_ = now;
      used_ = usage_now() - usage_began_;
      phase_ = phase::closed;
      return false;
    case phase::closed:
      return false;
  }
  return false;
}

rep_result window::result() const {
  rep_result r;
  r.ops = ops_;
  r.wall_s = static_cast<double>(ended_ - began_) / 1e9;
  r.used = used_;
  r.value = r.wall_s > 0 ? ops_ / r.wall_s : 0;
  // With few batches the halves are too coarse to say anything.
  if (half_at_ > began_ && ended_ > half_at_ && half_ops_ >= 8 && ops_ - half_ops_ >= 8) {
    double const first = half_ops_ / static_cast<double>(half_at_ - began_);
    double const second = (ops_ - half_ops_) / static_cast<double>(ended_ - half_at_);
    r.drift = second / first - 1;
  }
  return r;
}

}  // namespace plait::lab
