// What the kernel may answer at a bad moment, and how a service lives with it.
#include <plait/io/tcp.hpp>

#include "support/fake_io_driver.hpp"
#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/pipe.hpp>
#include <plait/io/serve.hpp>
#include <plait/io/udp.hpp>
#include <plait/io/unix.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/ledger.hpp>
#include <plait/thread_pool.hpp>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

using namespace std::chrono_literals;
using plait::task;
using plait::task_group;
using plait::io::address;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::test::connected;
using plait::test::connection;
using plait::test::peer;
using plait::test::turns;

namespace {

std::atomic<long> interruptions{0};

// Interrupts the calls of the thread that made it, one signal as soon as the last has been handled.
class signal_storm {
 public:
  signal_storm() {
    struct sigaction action {};
    action.sa_handler = [](int) { interruptions.fetch_add(1, std::memory_order_release); };
    ::sigaction(SIGUSR1, &action, &before_);  // without SA_RESTART
    thread_ = std::thread([this, target = ::pthread_self()] { storm(target); });
  }
  ~signal_storm() {
    stop_.store(true, std::memory_order_release);
    thread_.join();
    ::sigaction(SIGUSR1, &before_, nullptr);
  }
  signal_storm(signal_storm const&) = delete;
  signal_storm& operator=(signal_storm const&) = delete;

 private:
  void storm(pthread_t target) {
    long handled = interruptions.load(std::memory_order_acquire);
    while (!stop_.load(std::memory_order_acquire)) {
      ::pthread_kill(target, SIGUSR1);
      while (interruptions.load(std::memory_order_acquire) == handled) std::this_thread::yield();
      handled = interruptions.load(std::memory_order_acquire);
    }
  }

  struct sigaction before_ {};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Sends it through a stream and gives what the other end has read.
template <class Writer, class Reader>
task<std::string> through(Writer& writer, Reader& reader, std::string const& sent) {
  std::string got(sent.size(), '\0');
  co_await plait::with_task_group([&](task_group& g) -> task<> {
    g.spawn([&]() -> task<> { co_await writer.write_all(sent); });
    co_await reader.read_exactly(got);
    co_await g.join();
  });
  co_return got;
}

task<> echo(tcp_stream stream) {
  char byte[1];
  for (;;) {
    std::size_t const n = co_await stream.read_some(byte);
    if (n == 0) co_return;
    co_await stream.write_all(byte);
  }
}

// Sockets cannot be made: the system's table of files, or its memory, is full.
struct poor_calls final : plait::system_calls {
  int error = 0;
  int socket(int, int) noexcept override { return -error; }
};

// An operation whose opcode the probe promises and the kernel does not know.
void prepare_unknown(plait::io::op&, io_uring_sqe& sqe) {
  reinterpret_cast<unsigned char&>(sqe) = 250;  // its first byte
}
int seven(plait::io::op&, plait::system_calls&) { return 7; }
plait::io::op_lowering const promised{"promised", 0, prepare_unknown, 0, nullptr, seven};

}  // namespace

IO_TEST("faults: a file operation that the ring refuses in spite of its probe is done by a thread") {
  io.run([&]() -> task<> {
    char buffer[8];
    for (int i = 0; i < 3; ++i) {
      plait::io::file_count_op refused(promised, 0, buffer, sizeof buffer);
      std::size_t const n = co_await std::move(refused);
      CHECK(n == 7);
    }
  });
}

IO_TEST("faults: a storm of signals interrupts everything, and nobody sees it") {
  plait::test::temporary_folder const folder;
  std::string const large = plait::test::patterned(1 << 19);
  long const before = interruptions.load();
  bool slept_enough = true;
  {
    signal_storm const storm;
    io.run([&]() -> task<> {
      auto listener = tcp_listener::listen(address::loopback(0));
      auto client = co_await tcp_stream::connect(listener.local_address());
      auto server = co_await listener.accept();
      auto [left, right] = plait::io::unix_stream::pair();
      auto ends = plait::io::pipe_pair::open();
      std::string const by_tcp = co_await through(client, server, large);
      CHECK((by_tcp == large));
      std::string const by_unix = co_await through(left, right, large);
      CHECK((by_unix == large));
      std::string const by_pipe = co_await through(ends.writer, ends.reader, large);
      CHECK((by_pipe == large));
      auto file = co_await plait::io::file::open(folder / "f", plait::io::file_mode::read_write);
      co_await file.write_at(0, large);
      std::string got(large.size(), '\0');
      std::size_t const n = co_await file.read_at(0, got);
      CHECK(n == large.size());
      CHECK((got == large));
      co_await file.close();
      for (int i = 0; i < 100; ++i) {  // the ring gives up an operation that a signal keeps it from
        auto again = co_await plait::io::file::open(folder / "f");
        co_await again.close();
      }
      for (int i = 0; i < 10; ++i) {
        auto const begin = plait::clock::now();
        co_await plait::sleep_for(1ms);
        slept_enough = slept_enough && plait::clock::now() - begin >= 1ms;
      }
    });
  }
  CHECK(slept_enough);
  CHECK(interruptions.load() > before);
}

TEST_CASE("faults: accept skips the errors of dead connections, and waits where the system is poor") {
  constexpr int dead[] = {EINTR,     EAGAIN, ECONNABORTED, ENETDOWN,   EPROTO,     ENOPROTOOPT,
                          EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM, ETIMEDOUT};
  constexpr int poor[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
  plait::test::fake_io_driver driver;
  plait::scheduler s(driver);
  plait::run_on(s, [](plait::test::fake_io_driver& kernel, auto const& dying, auto const& full) -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    auto const accept_after = [&](int error) -> task<> {
      int const made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      kernel.at_once = {-error, -error, made};
      auto const accepted = co_await listener.accept();
      INFO("error " << error);
      CHECK(accepted.fd() == made);
      CHECK(kernel.at_once.empty());
    };
    for (int const error : dying) {
      auto const before = kernel.now();
      co_await accept_after(error);
      CHECK(kernel.now() == before);
    }
    CHECK(listener.exhausted() == 0);
    for (int const error : full) {
      auto const before = kernel.now();
      co_await accept_after(error);
      CHECK(kernel.now() - before == 15ms);  // 5, then 10
    }
    CHECK(listener.exhausted() == 8);
    kernel.at_once = {-EBADF};
    std::error_code code;
    try {
      co_await listener.accept();
    } catch (plait::io::io_error const& e) {
      code = e.code();
    }
    CHECK(code == std::errc::bad_file_descriptor);
  }(driver, dead, poor));
}

TEST_CASE("faults: a system without room for sockets is an error of who wants one") {
  poor_calls calls;
  plait::test::fake_io_driver driver;
  driver.calls = &calls;
  plait::scheduler s(driver);
  for (int const error : {ENFILE, EMFILE, ENOBUFS, ENOMEM}) {
    calls.error = error;
    plait::run_on(s, [](int wanted) -> task<> {
      std::error_code const expected(wanted, std::generic_category());
      std::error_code codes[3];
      try {
        co_await tcp_stream::connect(address::loopback(1));
      } catch (plait::io::io_error const& e) {
        codes[0] = e.code();
      }
      try {
        tcp_listener::listen(address::loopback(0));
      } catch (plait::io::io_error const& e) {
        codes[1] = e.code();
      }
      try {
        plait::io::udp_socket::bind(address::loopback(0));
      } catch (plait::io::io_error const& e) {
        codes[2] = e.code();
      }
      for (std::error_code const& code : codes) CHECK(code == expected);
    }(error));
  }
  CHECK(driver.submissions == 0);
}

IO_TEST("faults: with 200 clients and 10 descriptors, those that are served are, and then the others") {
  constexpr std::size_t served = 10;
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    std::vector<peer> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(peer::connect(listener.local_address()));
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      plait::test::descriptor_famine famine(served);
      g.spawn([&]() -> task<> { co_await plait::io::serve(listener, echo); });
      // They were connected first, and so are accepted first.
      int answers = 0;
      std::uint64_t attempts = 0;
      auto const begin = plait::clock::now();
      while (listener.exhausted() < 5) {
        for (std::size_t i = 0; i < served; ++i) clients[i].send("x", MSG_DONTWAIT);
        co_await turns(5);
        for (std::size_t i = 0; i < served; ++i) {
          char byte = 0;
          while (::recv(clients[i].fd(), &byte, 1, MSG_DONTWAIT) != 1) co_await turns(1);
          answers += byte == 'x' ? 1 : 0;
        }
        attempts = listener.exhausted();
      }
      auto const took = plait::clock::now() - begin;
      famine.end();
      CHECK(attempts == 5);
      CHECK(took >= 75ms);  // 5, 10, 20, 40 ms lie between five attempts
      CHECK(answers >= static_cast<int>(served));
      CHECK(answers % static_cast<int>(served) == 0);
      for (peer& client : clients) client.send("y");
      for (peer& client : clients) {
        char byte = 0;
        while (::recv(client.fd(), &byte, 1, MSG_DONTWAIT) != 1) co_await turns(1);
        CHECK(byte == 'y');
      }
      g.cancel();
    });
  });
}

IO_TEST("faults: peers that never read hold up themselves and nobody else") {
  io.run([&]() -> task<> {
    std::string const large(1 << 20, 's');
    std::vector<connection> slow;
    for (int i = 0; i < 200; ++i) slow.push_back(connected(4096, 4096));
    connection good = connected();
    int done = 0;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (connection& c : slow) {
        g.spawn([&done, &large](tcp_stream& to) -> task<> {
          int& count = done;
          co_await to.write_all(large);
          ++count;
        }, std::ref(c.stream));
      }
      g.spawn([&]() -> task<> { co_await echo(std::move(good.stream)); });
      for (int i = 0; i < 100; ++i) {
        good.other.send("x");
        char byte = 0;
        while (::recv(good.other.fd(), &byte, 1, MSG_DONTWAIT) != 1) co_await turns(1);
        CHECK(byte == 'x');
      }
      CHECK(done == 0);
      g.cancel();
    });
    for (connection& c : slow) {
      co_await c.stream.close();
      std::string const taken = c.other.receive_all();
      CHECK(taken.size() < large.size() / 4);
    }
  });
}

IO_TEST("faults: a thousand connections come and go, and nothing is left") {
  io.run([&]() -> task<> {
    auto listener = tcp_listener::listen(address::loopback(0));
    int const before = plait::test::open_descriptors();
    for (int i = 0; i < 1000; ++i) {
      auto client = co_await tcp_stream::connect(listener.local_address());
      auto server = co_await listener.accept();
      co_await client.write_all("x");
      char into[1];
      co_await server.read_exactly(into);
      // Each way of parting: the client first, the server first, with a reset.
      if (i % 3 == 0) co_await client.close();
      if (i % 3 == 1) co_await server.close();
      if (i % 3 == 2) client.abort();
    }
    CHECK(plait::test::open_descriptors() == before);
  });
}

IO_TEST("faults: a program that is executed gets no descriptor of plait's") {
  plait::test::temporary_folder const folder;
  auto const before = plait::testing::ledger_snapshot::take().open_descriptors;
  io.run([&]() -> task<> {
    plait::thread_pool pool({.threads = 1});
    auto listener = tcp_listener::listen(address::loopback(0));
    auto client = co_await tcp_stream::connect(listener.local_address());
    auto server = co_await listener.accept();
    auto unix_listener = plait::io::unix_listener::listen(plait::io::unix_address(folder / "s"));
    auto unix_client = co_await plait::io::unix_stream::connect(unix_listener.local_address());
    auto unix_server = co_await unix_listener.accept();
    auto udp = plait::io::udp_socket::bind(address::loopback(0));
    auto [left, right] = plait::io::unix_datagram::pair();
    auto ends = plait::io::pipe_pair::open();
    auto file = co_await plait::io::file::open(folder / "f", plait::io::file_mode::write);
    int const passed[] = {file.fd()};
    co_await unix_client.send_descriptors(passed, "x");
    char into[1];
    auto got = co_await unix_server.receive_descriptors(into);
    co_await pool.run([] {});
    int made = 0;
    for (auto const& [fd, name] : plait::testing::ledger_snapshot::take().open_descriptors) {
      if (before.count(fd) != 0) continue;
      ++made;
      INFO("descriptor " << fd << " (" << name << ")");
      CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
    CHECK(made >= 14);
  });
}
