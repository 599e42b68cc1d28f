// Many operations at once: small queues, full queues, cancelling all of them, shutting down.
#include <plait/driver.hpp>

#include "support/io_peer.hpp"
#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/error.hpp>
#include <plait/io/tcp.hpp>
#include <plait/io/wait.hpp>
#include <plait/task_group.hpp>
#include <plait/thread_pool.hpp>

#include <array>
#include <string>
#include <system_error>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

using plait::task;
using plait::task_group;
using plait::io::tcp_stream;
using plait::test::turns;

namespace {

// Streams of plait's whose other ends the test holds.
struct many_streams {
  explicit many_streams(int count) {
    for (int i = 0; i < count; ++i) {
      int ends[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        throw std::system_error(errno, std::generic_category(), "socketpair");
      }
      streams.emplace_back(plait::io::descriptor(ends[0]));
      others.emplace_back(ends[1]);
    }
  }
  std::vector<tcp_stream> streams;
  std::vector<plait::test::peer> others;
};

task<> read_one(tcp_stream& stream, int& done) {
  char into[1];
  if (co_await stream.read_some(into); into[0] == 'x') ++done;
}

constexpr std::array<unsigned, 4> small_queues{1, 2, 3, 4};

}  // namespace

IO_TEST("driver: 200 operations complete whatever the size of the submission queue") {
  for (unsigned const entries : small_queues) {
    io.options.queue_entries = entries;
    io.run([&]() -> task<> {
      many_streams m(200);
      int done = 0;
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        for (tcp_stream& s : m.streams) g.spawn(read_one, std::ref(s), std::ref(done));
        co_await turns(2);
        CHECK(done == 0);
        for (auto& other : m.others) other.send("x");
        co_await g.join();
      });
      CHECK(done == 200);
    });
  }
}

IO_TEST("driver: an operation behind a full submission queue is begun before the loop sleeps") {
  for (unsigned const entries : small_queues) {
    io.options.queue_entries = entries;
    io.run([&]() -> task<> {
      many_streams m(20);
      int done = 0;
      m.others.back().send("x");
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        for (tcp_stream& s : m.streams) g.spawn(read_one, std::ref(s), std::ref(done));
        // Only the last of them, behind the queue, has something to read.
        auto const last = g.spawn([&]() -> task<> {
          while (done == 0) co_await plait::io::wait_writable(m.streams[0].fd());
        });
        co_await last;
        g.cancel();
      });
      CHECK(done == 1);
    });
  }
}

IO_TEST("driver: a loop that sleeps with a full submission queue is woken by another thread") {
  for (unsigned const entries : small_queues) {
    io.options.queue_entries = entries;
    io.run([&]() -> task<> {
      many_streams m(static_cast<int>(entries));
      int done = 0;
      co_await plait::with_cancel_scope([&](plait::cancel_scope& scope) -> task<> {
        co_await plait::with_task_group([&](task_group& g) -> task<> {
          for (tcp_stream& s : m.streams) g.spawn(read_one, std::ref(s), std::ref(done));
          co_await turns(0);
          plait::thread_pool pool({.threads = 1});
          co_await pool.run([&scope] { scope.request_cancel(); });
          co_await g.join();
        });
      });
      CHECK(done == 0);
    });
  }
}

IO_TEST("driver: 200 operations are all cancelled whatever the size of the submission queue") {
  for (unsigned const entries : small_queues) {
    for (int const turns_before : {0, 1, 2, 5}) {
      io.options.queue_entries = entries;
      io.run([&]() -> task<> {
        many_streams m(200);
        int done = 0;
        co_await plait::with_task_group([&](task_group& g) -> task<> {
          for (tcp_stream& s : m.streams) g.spawn(read_one, std::ref(s), std::ref(done));
          co_await plait::yield();
          co_await turns(turns_before);
          g.cancel();
          co_await g.join();
        });
        CHECK(done == 0);
        // Nothing is left in the kernel that would take these bytes.
        for (auto& other : m.others) other.send("x");
        int later = 0;
        for (tcp_stream& s : m.streams) co_await read_one(s, later);
        CHECK(later == 200);
      });
    }
  }
}

IO_TEST("driver: what completes while it is being cancelled is delivered once") {
  for (unsigned const entries : small_queues) {
    io.options.queue_entries = entries;
    io.run([&]() -> task<> {
      many_streams m(200);
      int done = 0;
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        for (tcp_stream& s : m.streams) g.spawn(read_one, std::ref(s), std::ref(done));
        co_await turns(2);
        for (std::size_t i = 0; i < m.others.size(); i += 2) m.others[i].send("x");
        g.cancel();
        co_await g.join();
      });
      INFO("done before the cancellation: " << done);
      int left = 0;
      for (std::size_t i = 0; i < m.streams.size(); ++i) {
        char into[2];
        auto const n = ::recv(m.streams[i].fd(), into, sizeof into, MSG_DONTWAIT);
        if (n == 1) ++left;
      }
      CHECK(done + left == 100);
    });
  }
}

IO_TEST("driver: 200 completions reach a completion queue of 8") {
  io.options.queue_entries = 4;
  io.options.completion_entries = 8;
  for (int round = 0; round < 20; ++round) {
    io.run([&]() -> task<> {
      many_streams m(200);
      int done = 0;
      co_await plait::with_task_group([&](task_group& g) -> task<> {
        for (tcp_stream& s : m.streams) g.spawn(read_one, std::ref(s), std::ref(done));
        co_await turns(60);
        for (auto& other : m.others) other.send("x");
        co_await g.join();
      });
      CHECK(done == 200);
    });
  }
}

IO_TEST("driver: an accept that brings 100 connections at once survives a completion queue of 8") {
  io.options.queue_entries = 4;
  io.options.completion_entries = 8;
  io.run([&]() -> task<> {
    auto listener = plait::io::tcp_listener::listen(plait::io::address::loopback(0));
    std::vector<plait::test::peer> clients;
    int accepted = 0;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      g.spawn([&]() -> task<> {
        for (; accepted < 100; ++accepted) co_await listener.accept();
      });
      co_await turns(2);
      for (int i = 0; i < 100; ++i) {
        clients.push_back(plait::test::peer::connect(listener.local_address()));
      }
      co_await g.join();
    });
    CHECK(accepted == 100);
  });
}

IO_TEST("driver: 1,000 operations of every kind in flight at the end are cancelled and cleaned up") {
  io.run([&]() -> task<> {
    many_streams m(500);
    std::vector<plait::test::peer> pipes;
    std::string const large(1 << 20, 'w');
    int ended = 0;
    co_await plait::with_task_group([&](task_group& g) -> task<> {
      for (std::size_t i = 0; i < m.streams.size(); ++i) {
        g.spawn([&ended](tcp_stream& s) -> task<> {
          int& count = ended;
          char into[1];
          try {
            co_await s.read_exactly(into);
          } catch (plait::cancelled const&) {
            ++count;
            throw;
          }
        }, std::ref(m.streams[i]));
        g.spawn([&ended, &large](tcp_stream& s, int which) -> task<> {
          int& count = ended;
          try {
            if (which % 2 == 0) {
              co_await s.write_all(large);
            } else {
              for (;;) {
                short const events = co_await plait::io::wait_readable(s.fd());
                static_cast<void>(events);
              }
            }
          } catch (plait::cancelled const&) {
            ++count;
            throw;
          }
        }, std::ref(m.streams[i]), static_cast<int>(i));
      }
      co_await turns(20);
      g.cancel();
      co_await g.join();
    });
    CHECK(ended == 1000);
  });
}
