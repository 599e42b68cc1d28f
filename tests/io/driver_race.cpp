// What a cancelled read or write leaves behind. The races themselves are in race.cpp.
#include <plait/driver.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/tcp.hpp>
#include <plait/task_group.hpp>

#include <string>

using plait::task;
using plait::task_group;
using plait::test::connected;
using plait::test::connection;
using plait::test::turns;

IO_TEST("driver: data that came before the cancellation reached the kernel is delivered or left") {
  io.run([&]() -> task<> {
    connection c = connected();
    int delivered = 0;
    for (int round = 0; round < 300; ++round) {
      char into = 0;
      plait::io::mutable_buffer const one(&into, 1);
      bool got = false;
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        g.spawn([&]() -> task<> { got = co_await c.stream.read_some(one) == 1; });
        co_await turns(round % 3);
        c.other.send(std::string(1, static_cast<char>(round)));
        if (round % 2 == 0) co_await plait::yield();
        g.cancel();
      });
      if (got) ++delivered;
      if (!got) co_await c.stream.read_exactly(one);
      CHECK(into == static_cast<char>(round));
    }
    INFO("delivered " << delivered);
    char none[1];
    CHECK_FALSE((co_await plait::move_on_after(std::chrono::milliseconds(1), [&]() -> task<int> {
                  co_return static_cast<int>(co_await c.stream.read_some(none));
                })).has_value());
  });
}

IO_TEST("driver: a write that is cancelled half-way leaves whole what was taken") {
  io.run([&]() -> task<> {
    connection c = connected(4096, 4096);
    std::string const large = plait::test::patterned(1 << 20);
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> { co_await c.stream.write_all(large); });
      co_await turns(3);
      std::string const begin = c.other.receive(5000);
      CHECK((begin == large.substr(0, 5000)));
      co_await turns(3);
      g.cancel();
    });
    co_await c.stream.close();
    std::string const rest = c.other.receive_all();
    CHECK((rest == large.substr(5000, rest.size())));
    CHECK(rest.size() + 5000 < large.size());
  });
}
