#include "network.hpp"

namespace plait::io::sim {

network::fate network::fate_of(socket_address const&, socket_address const&) noexcept {
  auto const latency = [this] {
    int const times = random_.chance(0.001) ? 50 : 1;  // one in a thousand is very late
    return random_.between(options_.latency_min, options_.latency_max) * times;
  };
  fate f{latency(), false, std::nullopt};
  f.lost = random_.chance(options_.loss);
  if (random_.chance(options_.duplicate)) f.again = latency();
  return f;
}

// References to a deque's elements stay valid while it changes at its ends.
void network::segment(line on, socket_address const& from, socket_address const& to,
                      std::function<void()> arrive) {
  if (ended_) return;
  travelling& sent = lines_[on].emplace_back(travelling{std::move(arrive)});
  plan_.after(fate_of(from, to).after, [this, on, &sent] {
    sent.here = true;
    deliver(on);
  });
}

void network::deliver(line on) {
  for (auto at = lines_.find(on); at != lines_.end(); at = lines_.find(on)) {
    if (at->second.empty()) {
      lines_.erase(at);
      return;
    }
    if (!at->second.front().here) return;
    std::function<void()> const arrive = std::move(at->second.front().arrive);
    at->second.pop_front();
    arrive();
  }
}

void network::datagram(socket_address const& from, socket_address const& to,
                       std::function<void()> arrive) {
  fate const f = fate_of(from, to);
  if (f.again) plan_.after(*f.again, arrive);
  if (!f.lost) plan_.after(f.after, std::move(arrive));
}

void network::end() {
  ended_ = true;
  auto const over = std::move(lines_);
}

}  // namespace plait::io::sim
