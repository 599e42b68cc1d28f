// Cancellation against completion in the real kernel, for each kind of operation, with both outcomes
// measured: whatever wins, no byte, message, connection or descriptor is lost.
#include <plait/driver.hpp>

#include "support/count.hpp"
#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/file.hpp>
#include <plait/io/pipe.hpp>
#include <plait/io/tcp.hpp>
#include <plait/io/udp.hpp>
#include <plait/io/unix.hpp>
#include <plait/io/wait.hpp>
#include <plait/task_group.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define PLAIT_TEST_SLOW 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PLAIT_TEST_SLOW 1
#endif
#endif
#ifndef PLAIT_TEST_SLOW
#define PLAIT_TEST_SLOW PLAIT_ASAN
#endif

using plait::task;
using plait::task_group;
using plait::test::connected;
using plait::test::connection;
using plait::test::peer;
using plait::test::turns;

namespace {

constexpr int rounds = PLAIT_TEST_SLOW != 0 ? 1'000 : 10'000;

// One kind of operation.
struct contest {
  std::function<task<>(int round)> attempt;                     // awaits the operation
  std::function<void(int round)> act;                           // on another thread: lets it complete;
                                                                // none: it completes by itself
  std::function<task<bool>(int round, bool happened)> settle;   // whether nothing was lost
};

// Acts when the test asks for it, on a thread of its own.
class companion {
 public:
  explicit companion(std::function<void(int)> const& act) : thread_([this, &act] { serve(act); }) {}
  ~companion() {
    wanted_.store(-1, std::memory_order_release);
    thread_.join();
  }
  companion(companion const&) = delete;
  companion& operator=(companion const&) = delete;
  void ask(int round) { wanted_.store(round, std::memory_order_release); }
  bool has_acted(int round) const { return acted_.load(std::memory_order_acquire) >= round; }
  void wait_for(int round) const {
    while (!has_acted(round)) std::this_thread::yield();
  }

 private:
  void serve(std::function<void(int)> const& act) {
    for (;;) {
      int const wanted = wanted_.load(std::memory_order_acquire);
      if (wanted < 0) return;
      if (has_acted(wanted)) {
        std::this_thread::yield();
        continue;
      }
      if (act) act(wanted);
      acted_.store(wanted, std::memory_order_release);
    }
  }

  std::atomic<int> wanted_{0};
  std::atomic<int> acted_{0};
  std::thread thread_;
};

enum class course { cancelled_first, completed_first, open };

course course_of(int round) {
  if (round % 4 == 0) return course::cancelled_first;
  return round % 4 == 2 ? course::completed_first : course::open;
}

void spin(int pause) {
  for (std::atomic<int> i{0}; i < pause;) i.fetch_add(1, std::memory_order_relaxed);
}

// The operation waits, and is let go by the other thread and cancelled: before it can complete, after
// it could, or, every other round, after a pause that leaves it open.
task<bool> one_round(contest const& c, companion& other, int round, int pause) {
  bool happened = false;
  course const how = course_of(round);
  bool const by_itself = !c.act;
  co_await plait::with_task_group([&](task_group& g) -> task<> {
    g.spawn([&]() -> task<> {
      co_await c.attempt(round);
      happened = true;
    });
    if (by_itself && how == course::cancelled_first) {
      g.cancel();
    } else if (by_itself && round % 8 == 1) {
      co_await plait::yield();  // begun, and perhaps not yet the kernel's
    } else {
      co_await turns(1);
    }
    if (how == course::cancelled_first) g.cancel();
    other.ask(round);
    if (how == course::completed_first) {
      other.wait_for(round);
      for (int i = 0; i < 1000 && !happened; ++i) co_await turns(1);
    } else if (how == course::open) {
      spin(pause);
      if (!by_itself) co_await turns(1);
    }
    g.cancel();
  });
  other.wait_for(round);
  co_return happened;
}

// On a machine that is busy with other things each meeting of the two threads may take milliseconds:
// then there are fewer rounds.
constexpr std::chrono::seconds enough{8};

struct tally {
  int happened = 0;
  int cancelled = 0;
  int open_happened = 0;  // where it was left open
  int lost = 0;
};

// The pause is steered towards where the outcome is open.
task<tally> many_rounds(contest const& c) {
  companion other(c.act);
  tally t;
  int pause = 100;
  auto const end = plait::clock::now() + enough;
  for (int round = 1; round <= rounds && plait::clock::now() < end; ++round) {
    bool const happened = co_await one_round(c, other, round, pause);
    ++(happened ? t.happened : t.cancelled);
    bool const whole = co_await c.settle(round, happened);
    if (!whole) ++t.lost;
    if (course_of(round) != course::open) continue;
    if (happened) ++t.open_happened;
    int const step = std::max(1, pause / 16);
    pause = std::clamp(happened ? pause - step : pause + step, 0, 20'000);
  }
  co_return t;
}

void check(tally const& t) {
  int const all = t.happened + t.cancelled;
  INFO("happened " << t.happened << ", cancelled " << t.cancelled << ", where it was open happened "
                   << t.open_happened << " of " << all / 2);
  CHECK(all >= 100);
  CHECK(t.happened >= all / 20);
  CHECK(t.cancelled >= all / 20);
  CHECK(t.lost == 0);
  plait::test::count("cancel races", all);
}

// Receiving: a message of one byte, the round's, which comes once and in order whoever reads it.
template <class Receive>
task<tally> race_to_receive(Receive receive, int sender) {
  char into = 0;
  plait::io::mutable_buffer const one(&into, 1);
  contest const c{
      .attempt = [&](int) -> task<> { co_await receive(one); },
      .act =
          [sender](int round) {
            char const byte = static_cast<char>(round);
            if (::write(sender, &byte, 1) != 1) std::abort();
          },
      .settle = [&](int round, bool happened) -> task<bool> {
        if (!happened) co_await receive(one);
        co_return into == static_cast<char>(round);
      },
  };
  co_return co_await many_rounds(c);
}

// Sending into what is full: the other thread makes room for all of `block`.
constexpr std::size_t block_bytes = 4096;
std::string block_of(int round) { return plait::test::patterned(block_bytes, static_cast<unsigned>(round)); }

int raw_connect(plait::io::address const& to) { return peer::connect(to).release(); }

int raw_connect(plait::io::unix_address const& to) {
  int const fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, to.data(), to.size()) != 0) std::abort();
  return fd;
}

// Accepting: each connection that was made is accepted once.
template <class Listener, class Address>
task<tally> race_to_accept(Listener& listener, Address at) {
  int client = -1;
  contest const c{
      .attempt = [&](int) -> task<> { co_await listener.accept(); },
      .act = [&](int) { client = raw_connect(at); },
      .settle = [&](int, bool happened) -> task<bool> {
        if (!happened) co_await listener.accept();
        peer(client).reset();
        co_return true;
      },
  };
  co_return co_await many_rounds(c);
}

}  // namespace

IO_TEST("race: tcp read against cancellation") {
  check(io.run([]() -> task<tally> {
    connection c = connected();
    auto const receive = [&](plait::io::mutable_buffer into) { return c.stream.read_some(into); };
    co_return co_await race_to_receive(receive, c.other.fd());
  }));
}

IO_TEST("race: unix read against cancellation") {
  check(io.run([]() -> task<tally> {
    auto [stream, other] = plait::io::unix_stream::pair();
    auto const receive = [&s = stream](plait::io::mutable_buffer into) { return s.read_some(into); };
    co_return co_await race_to_receive(receive, other.fd());
  }));
}

IO_TEST("race: unix datagram receive against cancellation") {
  check(io.run([]() -> task<tally> {
    auto [socket, other] = plait::io::unix_datagram::pair();
    auto const receive = [&s = socket](plait::io::mutable_buffer into) { return s.receive(into); };
    co_return co_await race_to_receive(receive, other.fd());
  }));
}

IO_TEST("race: udp receive against cancellation") {
  check(io.run([]() -> task<tally> {
    auto socket = plait::io::udp_socket::bind(plait::io::address::loopback(0));
    auto other = plait::io::udp_socket::bind(plait::io::address::loopback(0));
    other.connect(socket.local_address());
    auto const receive = [&](plait::io::mutable_buffer into) { return socket.receive(into); };
    co_return co_await race_to_receive(receive, other.fd());
  }));
}

IO_TEST("race: pipe read against cancellation") {
  check(io.run([]() -> task<tally> {
    auto ends = plait::io::pipe_pair::open();
    auto const receive = [&](plait::io::mutable_buffer into) { return ends.reader.read_some(into); };
    co_return co_await race_to_receive(receive, ends.writer.fd());
  }));
}

IO_TEST("race: wait_readable against cancellation") {
  check(io.run([]() -> task<tally> {
    connection c = connected();
    contest const race{
        .attempt = [&](int) -> task<> { co_await plait::io::wait_readable(c.stream.fd()); },
        .act = [&](int) { c.other.send("x"); },
        .settle = [&](int, bool) -> task<bool> {
          char into[2];
          co_return ::recv(c.stream.fd(), into, sizeof into, 0) == 1;
        },
    };
    co_return co_await many_rounds(race);
  }));
}

// The pipe holds one block. What the other thread takes out must be what was written last.
IO_TEST("race: pipe write against cancellation") {
  check(io.run([]() -> task<tally> {
    auto ends = plait::io::pipe_pair::open();
    if (::fcntl(ends.writer.fd(), F_SETPIPE_SZ, static_cast<int>(block_bytes)) < 0) std::abort();
    std::string block = block_of(0);
    co_await ends.writer.write_all(block);
    std::string taken(block_bytes, '\0');
    contest const race{
        .attempt = [&](int) -> task<> { co_await ends.writer.write_some(block); },
        .act =
            [&](int) {
              auto const n = ::read(ends.reader.fd(), taken.data(), block_bytes);
              if (n != static_cast<ssize_t>(block_bytes)) std::abort();
            },
        .settle = [&](int round, bool happened) -> task<bool> {
          bool const whole = taken == block_of(round - 1);
          if (!happened) co_await ends.writer.write_all(block);
          block = block_of(round + 1);
          co_return whole;
        },
    };
    block = block_of(1);
    co_return co_await many_rounds(race);
  }));
}

// The connection is full; the other thread reads until it is empty. All bytes carry their place.
IO_TEST("race: tcp write against cancellation") {
  check(io.run([]() -> task<tally> {
    constexpr std::size_t period = 65'521;
    std::string const once = plait::test::patterned(period);
    std::string const pattern = once + once;
    connection c = connected(4096, 4096);
    std::size_t written = 0;
    std::size_t read = 0;
    bool in_order = true;
    auto const fill = [&] {
      for (;;) {
        auto const n = ::send(c.stream.fd(), &pattern[written % period], block_bytes, MSG_DONTWAIT);
        if (n <= 0) return;
        written += static_cast<std::size_t>(n);
      }
    };
    auto const drain = [&] {
      char piece[16384];
      for (;;) {
        auto const n = ::recv(c.other.fd(), piece, sizeof piece, MSG_DONTWAIT);
        if (n <= 0) return;
        auto const bytes = static_cast<std::size_t>(n);
        in_order = in_order && pattern.compare(read % period, bytes, piece, bytes) == 0;
        read += bytes;
      }
    };
    contest const race{
        .attempt = [&](int) -> task<> {
          plait::io::const_buffer const from(&pattern[written % period], 1);
          written += co_await c.stream.write_some(from);
        },
        .act = [&](int) { drain(); },
        .settle = [&](int, bool) -> task<bool> {
          fill();
          co_return in_order;
        },
    };
    fill();
    tally t = co_await many_rounds(race);
    co_await c.stream.close();
    while (read < written) {
      std::string const rest = c.other.receive(std::min<std::size_t>(written - read, 4096));
      if (rest.empty() || pattern.compare(read % period, rest.size(), rest) != 0) break;
      read += rest.size();
    }
    if (read != written || !c.other.receive_all().empty()) ++t.lost;
    co_return t;
  }));
}

IO_TEST("race: tcp accept against cancellation") {
  check(io.run([]() -> task<tally> {
    auto listener = plait::io::tcp_listener::listen(plait::io::address::loopback(0));
    co_return co_await race_to_accept(listener, listener.local_address());
  }));
}

IO_TEST("race: unix accept against cancellation") {
  plait::test::temporary_folder const folder;
  check(io.run([&]() -> task<tally> {
    auto listener = plait::io::unix_listener::listen(plait::io::unix_address(folder / "s"));
    co_return co_await race_to_accept(listener, listener.local_address());
  }));
}

// A connection that is made and cancelled is reset: the listener sees it, and this process keeps none.
IO_TEST("race: tcp connect against cancellation") {
  check(io.run([]() -> task<tally> {
    auto listener = plait::io::tcp_listener::listen(plait::io::address::loopback(0));
    int const flags = ::fcntl(listener.fd(), F_GETFL);
    ::fcntl(listener.fd(), F_SETFL, flags | O_NONBLOCK);
    int const before = plait::test::open_descriptors();
    contest const race{
        .attempt = [&](int) -> task<> {
          auto stream = co_await plait::io::tcp_stream::connect(listener.local_address());
          stream.abort();
        },
        .act = {},
        .settle = [&](int round, bool) -> task<bool> {
          for (;;) {
            peer accepted(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
            if (accepted.fd() < 0) break;
            accepted.reset();
          }
          co_return round % 100 != 0 || plait::test::open_descriptors() == before;
        },
    };
    co_return co_await many_rounds(race);
  }));
}

IO_TEST("race: file open against cancellation") {
  plait::test::temporary_folder const folder;
  std::string const path = folder / "f";
  check(io.run([&]() -> task<tally> {
    int const before = plait::test::open_descriptors();
    contest const race{
        .attempt = [&](int) -> task<> {
          auto file = co_await plait::io::file::open(path, plait::io::file_mode::write);
          static_cast<void>(file);
        },
        .act = {},
        .settle = [&](int round, bool) -> task<bool> {
          co_return round % 100 != 0 || plait::test::open_descriptors() == before;
        },
    };
    co_return co_await many_rounds(race);
  }));
}

// Either all of a block was written or nothing.
IO_TEST("race: file write against cancellation") {
  plait::test::temporary_folder const folder;
  std::string const path = folder / "f";
  check(io.run([&]() -> task<tally> {
    auto file = co_await plait::io::file::open(path, plait::io::file_mode::read_write);
    std::string last = block_of(0);
    co_await file.write_at(0, last);
    std::string next = block_of(1);
    contest const race{
        .attempt = [&](int) -> task<> { co_await file.write_at(0, next); },
        .act = {},
        .settle = [&](int round, bool happened) -> task<bool> {
          if (happened) last = next;
          std::string there(block_bytes, '\0');
          bool const read = ::pread(file.fd(), there.data(), block_bytes, 0) > 0;
          next = block_of(round + 1);
          co_return read && there == last;
        },
    };
    co_return co_await many_rounds(race);
  }));
}
