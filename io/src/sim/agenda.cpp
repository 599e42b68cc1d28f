#include "agenda.hpp"

namespace plait::io::sim {

agenda::event agenda::after(duration d, std::function<void()> what) {
  event const planned{now_ + d, random_.tie(), ++number_};
  if (!ended_) events_.emplace(planned, std::move(what));
  return planned;
}

void agenda::end() {
  ended_ = true;
  auto const over = std::move(events_);
}

time_point agenda::next() const noexcept {
  return events_.empty() ? no_deadline : events_.begin()->first.at;
}

std::size_t agenda::run_due() {
  std::size_t ran = 0;
  for (; !events_.empty() && events_.begin()->first.at <= now_; ++ran) {
    auto const first = events_.extract(events_.begin());
    first.mapped()();
  }
  return ran;
}

}  // namespace plait::io::sim
