#include <plait/testing/fail_nth.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/io/detail/fault_plan.hpp>
#include <plait/io/file.hpp>
#include <plait/io/tcp.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/testing/sim.hpp>
#include <plait/testing/stream_pair.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <system_error>

using plait::task;
using plait::io::address;
using plait::io::as_result;
using plait::io::file;
using plait::io::file_mode;
using plait::io::io_error;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::testing::fail_nth;
using plait::testing::run_sim;

namespace {

// Six operations, or more where a driver splits them.
task<std::string> exchange() {
  tcp_listener listener = tcp_listener::listen(address::loopback(0));
  tcp_stream client = co_await tcp_stream::connect(listener.local_address());
  tcp_stream server = co_await listener.accept();
  std::string got(4, '\0');
  co_await client.write_all("ping");
  co_await server.read_exactly(got);
  co_await server.write_all("pong");
  std::string back(4, '\0');
  co_await client.read_exactly(back);
  co_return got + back;
}

task<std::string> write_and_read(std::string path) {
  file written = co_await file::open(path, file_mode::write);
  co_await written.write_at(0, "text");
  co_await written.close();
  file read = co_await file::open(path);
  std::string got(4, '\0');
  std::size_t const n = co_await read.read_at(0, got);
  co_return got.substr(0, n);
}

// Each operation of fn() fails in its turn, once; gives how many there are.
template <class Run>
long fail_each(std::errc error, Run const& run) {
  for (long n = 1; n < 1000; ++n) {
    fail_nth const fault("*", n, error);
    try {
      run();
      if (!fault.happened()) return n - 1;
      FAIL_CHECK("operation " << n << " failed, and nobody heard of it");
    } catch (io_error const& e) {
      CHECK(fault.happened());
      CHECK(e.code() == error);
    }
  }
  return -1;
}

}  // namespace

IO_TEST("fail_nth: the n-th operation of the name answers the error, and the others are done") {
  fail_nth const second("read", 2, std::errc::connection_reset);
  fail_nth const writes("write", 0, std::errc::io_error);
  std::string heard;
  io.run([&]() -> task<> {
    tcp_listener listener = tcp_listener::listen(address::loopback(0));
    tcp_stream client = co_await tcp_stream::connect(listener.local_address());
    tcp_stream server = co_await listener.accept();
    co_await client.write_all("abc");
    for (int i = 0; i < 3; ++i) {
      char byte = '?';
      auto const got = co_await as_result(server.read_some({&byte, 1}));
      heard += got ? std::string(1, byte) : got.error().code == std::errc::connection_reset ? "!" : "?";
    }
  });
  CHECK(heard == "a!b");
  CHECK(second.count() == 3);
  CHECK(second.happened());
  CHECK(writes.count() == 1);
  CHECK_FALSE(writes.happened());
}

IO_TEST("fail_nth: every operation of an exchange and of a file fails in its turn") {
  long const operations = fail_each(std::errc::io_error, [&] {
    if (io.run(exchange) != "pingpong") throw std::runtime_error("it says something else");
  });
  CHECK(operations >= 6);
  plait::test::temporary_folder const folder;
  long const of_files = fail_each(std::errc::no_space_on_device, [&] {
    std::string const path = folder / "data";
    if (io.run([&] { return write_and_read(path); }) != "text") throw std::runtime_error("it differs");
  });
  CHECK(of_files == 5);
}

TEST_CASE("fail_nth: in simulation every operation fails in its turn") {
  CHECK(fail_each(std::errc::connection_reset, [] { run_sim(exchange, {.seed = 3}); }) >= 6);
  CHECK(fail_each(std::errc::io_error, [] { run_sim([] { return write_and_read("data"); }); }) >= 5);
}

TEST_CASE("fail_nth: memory streams fail too, without a driver for I/O") {
  plait::testing::manual_scheduler m;
  m.run([]() -> task<> {
    auto [a, b] = plait::testing::stream_pair();
    fail_nth const fault("write", 1, std::errc::no_buffer_space);
    auto const first = co_await as_result(a.write_all("lost"));
    CHECK(first.error().code == std::errc::no_buffer_space);
    CHECK(first.error().transferred == 0);
    co_await a.write_all("said");
    std::string got(4, '\0');
    co_await b.read_exactly(got);
    CHECK(got == "said");
    CHECK(fault.count() == 2);
  });
}

IO_TEST("fail_nth: an operation that is told EINTR or EAGAIN is begun again") {
  for (std::errc const soft : {std::errc::interrupted, std::errc::resource_unavailable_try_again}) {
    fail_nth const fault("write", 1, soft);
    CHECK(io.run(exchange) == "pingpong");
    CHECK(fault.happened());
    CHECK(fault.count() == 2);
  }
}

TEST_CASE("fail_nth: those inside count as well, and without one there is no plan") {
  {
    fail_nth const all("*", 0, std::errc::io_error);
    fail_nth const reads("read", 0, std::errc::io_error);
    CHECK(plait::io::detail::fault_of("read") == 0);
    CHECK(plait::io::detail::fault_of("write") == 0);
    CHECK(all.count() == 2);
    CHECK(reads.count() == 1);
  }
  CHECK(plait::io::detail::faults_here == nullptr);
}
