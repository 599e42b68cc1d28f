// A loop that waits for several things at once and does one after the other: the usual shape of a task that
// owns something. What is not chosen has not happened: no order is lost that came while the bell rang.
#include <plait/plait.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>
#include <variant>

using namespace std::chrono_literals;
using plait::task;

struct shop {
  plait::channel<std::string> orders = plait::channel<std::string>::rendezvous("orders");
  plait::event bell{"bell"};
};

static task<> keep(shop& s, plait::time_point closing_time) {
  for (int sold = 0;;) {
    auto const next = co_await plait::select(s.orders.receive(), s.bell.wait(),
                                             plait::sleep_until(closing_time));
    switch (next.index()) {
      case 0:
        if (auto const& order = std::get<0>(next)) {
          std::printf("order %d: %s\n", ++sold, order->c_str());
          break;
        }
        std::puts("the last customer has left");
        co_return;
      case 1:
        std::puts("the bell rings");
        s.bell.clear();
        break;
      case 2:
        std::printf("closing time, after %d orders\n", sold);
        co_return;
    }
  }
}

static task<> visit(shop& s) {
  co_await s.orders.send("bread");
  s.bell.set();
  co_await plait::sleep_for(1ms);
  co_await s.orders.send("butter");
}

// Sends if the keeper takes it at once, and does not wait: `otherwise` is the case that is always ready.
static task<> call_in(shop& s, std::string what) {
  auto const outcome = co_await plait::select(s.orders.send(std::move(what)), plait::otherwise());
  std::puts(outcome.index() == 0 ? "  taken at once" : "  nobody answers");
}

static task<> program() {
  shop s;
  std::puts("a day:");
  co_await plait::when_all(keep(s, plait::scheduler::current().now() + 250ms), visit(s));
  co_await call_in(s, "salt");

  std::puts("a day that ends early:");
  auto const leave = [&]() -> task<> {
    co_await visit(s);
    s.orders.close();
  };
  co_await plait::when_all(keep(s, plait::scheduler::current().now() + 1h), leave());
}

int main(int argc, char** argv) { return plait::run(argc, argv, program); }
