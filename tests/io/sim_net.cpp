// What the simulated network does that a loopback never does, and what a world still holds at the
// end.
#include <plait/testing/sim.hpp>

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/pipe.hpp>
#include <plait/io/tcp.hpp>
#include <plait/io/udp.hpp>
#include <plait/io/unix.hpp>
#include <plait/sleep.hpp>
#include <plait/system_calls.hpp>
#include <plait/task_group.hpp>
#include <plait/timeout.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::io_error;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::io::udp_socket;
using plait::testing::run_sim;
using plait::testing::sim_ledger;
using plait::testing::sim_options;
using plait::testing::sim_run;

namespace {

// The numbers of ten messages in the order in which they came.
std::string ten_messages(sim_options options) {
  std::string came;
  run_sim(
      [&]() -> task<> {
        udp_socket near = udp_socket::bind(address::loopback(5000));
        udp_socket far = udp_socket::bind(address::loopback(5001));
        for (char name = '0'; name <= '9'; ++name) {
          co_await far.send_to(near.local_address(), std::string(1, name));
        }
        for (bool goes_on = true; goes_on;) {
          goes_on = co_await plait::move_on_after(1s, [&]() -> task<> {
            std::array<char, 4> buffer;
            auto const got = co_await near.receive_from(buffer);
            came.append(buffer.data(), got.bytes);
          });
        }
      },
      options);
  return came;
}

task<std::error_code> error_of_connecting(address to) {
  try {
    co_await tcp_stream::connect(to);
  } catch (io_error const& e) {
    co_return e.code();
  }
  co_return std::error_code();
}

}  // namespace

TEST_CASE("sim: datagrams overtake each other") {
  int in_order = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    std::string const came = ten_messages({.seed = seed});
    CHECK(came.size() == 10);
    if (came == "0123456789") ++in_order;
  }
  CHECK(in_order < 50);
  sim_options const still{.latency_min = 1ms, .latency_max = 1ms};
  CHECK(ten_messages(still).size() == 10);
}

TEST_CASE("sim: as many datagrams are lost, or come twice, as the options say") {
  std::size_t with_loss = 0;
  std::size_t with_doubles = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    with_loss += ten_messages({.seed = seed, .loss = 0.2}).size();
    with_doubles += ten_messages({.seed = seed, .duplicate = 0.2}).size();
  }
  CHECK(with_loss > 1500);
  CHECK(with_loss < 1700);
  CHECK(with_doubles > 2300);
  CHECK(with_doubles < 2500);
}

TEST_CASE("sim: a segment that opens a connection is sent again when it is lost") {
  int late = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    sim_run world({.seed = seed, .loss = 0.5});
    std::error_code const code = world.run([]() -> task<std::error_code> {
      tcp_listener const listener = tcp_listener::listen(address::loopback(7000));
      co_return co_await error_of_connecting(address::loopback(7000));
    });
    CHECK((!code || code == std::errc::timed_out));
    if (world.elapsed() >= 1s) ++late;
  }
  CHECK(late > 10);
  CHECK(late < 40);
}

TEST_CASE("sim: a connection that nobody answers has timed out after two minutes") {
  sim_run world({.loss = 1});
  std::error_code const code = world.run(
      []() -> task<std::error_code> { return error_of_connecting(address::loopback(7000)); });
  CHECK(code == std::errc::timed_out);
  CHECK(world.elapsed() > 127s);
  CHECK(world.elapsed() < 128s);
  CHECK(world.ledger() == sim_ledger{});
}

TEST_CASE("sim: a full backlog makes the next connection wait, and time out") {
  sim_run world;
  std::vector<std::error_code> codes;
  world.run([&]() -> task<> {
    tcp_listener const listener = tcp_listener::listen(address::loopback(7000), {.backlog = 1});
    tcp_stream const first = co_await tcp_stream::connect(address::loopback(7000));
    tcp_stream const second = co_await tcp_stream::connect(address::loopback(7000));
    codes.push_back(co_await error_of_connecting(address::loopback(7000)));
  });
  CHECK(codes == std::vector{make_error_code(std::errc::timed_out)});
  CHECK(world.ledger() == sim_ledger{});
}

TEST_CASE("sim: a client that has gone before the handshake's end is never accepted") {
  int gone = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    sim_run world({.seed = seed});
    bool const accepted = world.run([]() -> task<bool> {
      tcp_listener listener = tcp_listener::listen(address::loopback(7000));
      bool const connected = co_await plait::move_on_after(1ms, []() -> task<> {
        tcp_stream const stream = co_await tcp_stream::connect(address::loopback(7000));
      });
      bool const came = co_await plait::move_on_after(
          10s, [&]() -> task<> { tcp_stream const peer = co_await listener.accept(); });
      co_return came || connected;
    });
    if (!accepted) ++gone;
    CHECK(world.ledger() == sim_ledger{});
  }
  CHECK(gone > 10);
}

TEST_CASE("sim: where descriptors run out, a listener waits and says so") {
  sim_run world({.descriptors_max = 3});
  std::uint64_t exhausted = 0;
  world.run([&]() -> task<> {
    tcp_listener listener = tcp_listener::listen(address::loopback(7000));
    tcp_stream client = co_await tcp_stream::connect(address::loopback(7000));
    std::optional<tcp_stream> other = co_await listener.accept();
    CHECK_THROWS_AS(udp_socket::bind(address::loopback(0)), io_error);
    co_await client.close();
    client = co_await tcp_stream::connect(address::loopback(7000));
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      auto const accept = [&]() -> task<> { tcp_stream const second = co_await listener.accept(); };
      g.spawn(accept);
      co_await plait::sleep_for(1s);
      other.reset();
      co_await g.join();
    });
    exhausted = listener.exhausted();
  });
  CHECK(exhausted > 3);
  CHECK(world.ledger() == sim_ledger{});
}

TEST_CASE("sim: the ledger tells what a program has left") {
  sim_run world;
  world.run([&]() -> task<> {
    plait::system_calls& sys = plait::scheduler::current().sys();
    std::array<int, 2> ends;
    CHECK(sys.pipe(ends) == 0);
    sys.close(ends[1]);
    udp_socket kept = udp_socket::bind(address::loopback(5000));
    co_await kept.send_to(address::loopback(5001), "x");
  });
  CHECK(world.ledger() == sim_ledger{.descriptors = 1});
}

TEST_CASE("sim: what is left open is closed with the world, whatever it was doing") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    sim_run world({.seed = seed});
    world.run([&]() -> task<> {
      plait::system_calls& sys = plait::scheduler::current().sys();
      tcp_listener listener = tcp_listener::listen(address::loopback(7000));
      address const to = listener.local_address();
      int const client = sys.socket(AF_INET, SOCK_STREAM);
      sys.connect(client, to.data(), to.size());
      co_await plait::sleep_for(2ms);
      auto [near, far] = plait::io::unix_stream::pair();
      std::array<int, 1> const passed{client};
      co_await near.send_descriptors(passed, "x");
      near.shutdown(plait::io::shutdown_direction::write);
      sys.close(client);
      static_cast<void>(sys.socket(AF_UNIX, SOCK_DGRAM));
    });
    CHECK(world.open_descriptors() == 1);
  }
}
