#include "programs.hpp"

#include <plait/cancel.hpp>
#include <plait/driver.hpp>
#include <plait/io/error.hpp>
#include <plait/io/file.hpp>
#include <plait/io/file_system.hpp>
#include <plait/io/serve.hpp>
#include <plait/io/tcp.hpp>
#include <plait/scheduler.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/stream_pair.hpp>
#include <plait/timeout.hpp>
#include <plait/when.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace plait::seeds {
namespace {

using namespace std::chrono_literals;
using io::address;
using io::file;
using io::file_mode;
using io::io_error;
using io::tcp_listener;
using io::tcp_stream;

void require(bool holds, char const* promise) {
  if (!holds) throw broken_promise(promise);
}

// The seed's: another number each time, the same ones in a second run.
std::size_t drawn_below(std::size_t bound) {
  return static_cast<std::size_t>(scheduler::current().io().random() % bound);
}

// Each byte tells its place, so that a lost or doubled one shows.
char byte_at(std::size_t place) { return static_cast<char>('a' + (place * 7 + place / 26) % 26); }

std::string text_from(std::size_t place, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = byte_at(place + i);
  return text;
}

bool is_text_from(std::size_t place, std::string_view text) {
  return std::equal(text.begin(), text.end(), text_from(place, text.size()).begin());
}

// A world may reset a connection, refuse one or leave one unanswered; that ends it, and no more.
task<> bear_faults(task<> work) {
  try {
    co_await std::move(work);
  } catch (io_error const&) {
  } catch (timed_out const&) {
  }
}

// --- echo: what comes back is what was sent, from the beginning on ---------------------------

task<> echo(tcp_stream peer) {
  std::array<char, 300> buffer;
  for (;;) {
    std::size_t const n = co_await peer.read_some(buffer);
    if (n == 0) co_return;
    co_await peer.write_all({buffer.data(), n});
  }
}

task<> read_back(tcp_stream& stream, std::size_t bytes) {
  std::array<char, 200> buffer;
  for (std::size_t place = 0; place < bytes;) {
    std::size_t const n = co_await stream.read_some(buffer);
    require(is_text_from(place, {buffer.data(), n}), "an echo is what was sent");
    require(place + n <= bytes, "an echo is not longer than what was sent");
    if (n == 0) co_return;
    place += n;
  }
}

task<> ask_echo(address server) {
  tcp_stream stream = co_await with_timeout(30s, tcp_stream::connect(server));
  std::size_t const bytes = 1 + drawn_below(4000);
  co_await with_task_group([&](task_group& g) -> task<> {
    auto const write = [&]() -> task<> {
      std::string const text = text_from(0, bytes);
      co_await stream.write_all(text);
    };
    g.spawn(write);
    co_await with_timeout(10min, read_back(stream, bytes));
    co_await g.join();
  });
}

task<> echo_program() {
  tcp_listener listener = tcp_listener::listen(address::loopback(0));
  address const server = listener.local_address();
  co_await with_task_group([&](task_group& g) -> task<> {
    auto const clients = [&]() -> task<> {
      co_await with_task_group([&](task_group& inner) -> task<> {
        for (std::size_t i = 1 + drawn_below(8); i > 0; --i) inner.spawn(bear_faults, ask_echo(server));
        co_await inner.join();
      });
      g.cancel();
    };
    g.spawn(clients);
    co_await io::serve(listener, echo);
  });
}

// --- transfer: reads that are cancelled lose nothing ------------------------------------------

template <class Stream>
task<> send_text(Stream& stream, std::size_t bytes) {
  for (std::size_t place = 0; place < bytes;) {
    std::string const text = text_from(place, std::min<std::size_t>(bytes - place, 1 + drawn_below(200)));
    co_await stream.write_all(text);
    place += text.size();
  }
  stream.shutdown(io::shutdown_direction::write);
}

template <class Stream>
task<> receive_with_impatience(Stream& stream, std::size_t bytes) {
  std::size_t place = 0;
  bool ended = false;
  while (!ended) {
    std::array<char, 64> buffer;
    auto const read = [&]() -> task<> {
      std::size_t const n = co_await stream.read_some({buffer.data(), 1 + drawn_below(buffer.size())});
      require(is_text_from(place, {buffer.data(), n}), "a cancelled read loses nothing and doubles nothing");
      place += n;
      ended = n == 0;
    };
    bool const in_time = co_await move_on_after(std::chrono::microseconds(drawn_below(20'000)), read);
    static_cast<void>(in_time);
  }
  require(place == bytes, "the end of a stream comes behind all that was sent");
}

template <class Stream>
task<> transfer(Stream& near, Stream& far) {
  std::size_t const bytes = 1 + drawn_below(1500);
  co_await with_task_group([&](task_group& g) -> task<> {
    auto const send = [&]() -> task<> { co_await send_text(near, bytes); };
    g.spawn(send);
    co_await receive_with_impatience(far, bytes);
    co_await g.join();
  });
}

task<> transfer_program() {
  tcp_listener listener = tcp_listener::listen(address::loopback(0));
  auto const both = [&]() -> task<> {
    tcp_stream near = co_await with_timeout(1min, tcp_stream::connect(listener.local_address()));
    tcp_stream far = co_await with_timeout(1min, listener.accept());
    co_await transfer(near, far);
  };
  co_await bear_faults(both());
}

task<> memory_program() {
  testing::stream_pair_options options;
  options.split_seed = drawn_below(1000);
  options.capacity = 1 + drawn_below(2000);
  options.latency = std::chrono::microseconds(drawn_below(3000));
  if (drawn_below(3) == 0) options.lose_after = drawn_below(8000);
  auto [near, far] = testing::stream_pair(options);
  co_await bear_faults(transfer(near, far));
}

// --- drain: who was being served when the service ended gets an answer -------------------------

struct tally {
  int begun = 0;
  int finished = 0;
};

class served {
 public:
  explicit served(tally& count) : count_(count) { ++count_.begun; }
  ~served() { ++count_.finished; }
  served(served const&) = delete;
  served& operator=(served const&) = delete;

 private:
  tally& count_;
};

task<> slow_answer(tcp_stream peer, tally* count) {
  std::array<char, 1> question;
  co_await peer.read_exactly(question);
  served const noted(*count);
  co_await sleep_for(std::chrono::microseconds(drawn_below(20000)));
  co_await peer.write_all("!");
}

task<> ask_slowly(address server) {
  tcp_stream stream = co_await with_timeout(30s, tcp_stream::connect(server));
  co_await stream.write_all("?");
  std::array<char, 1> answer;
  co_await with_timeout(1min, stream.read_exactly(answer));
  require(answer[0] == '!', "the answer is the answer");
}

task<> drain_program() {
  tcp_listener listener = tcp_listener::listen(address::loopback(0));
  address const server = listener.local_address();
  tally count;
  co_await with_task_group([&](task_group& g) -> task<> {
    for (std::size_t i = 1 + drawn_below(12); i > 0; --i) g.spawn(bear_faults, ask_slowly(server));
    auto const service = [&]() -> task<> {
      io::serve_options const options{.drain = 10s};
      co_await io::serve(listener, options, slow_answer, &count);
    };
    bool const in_time = co_await move_on_after(std::chrono::microseconds(drawn_below(30000)), service);
    require(!in_time, "a service ends by being cancelled");
    require(count.begun == count.finished, "no session outlives its service");
    co_await g.join();
  });
}

// --- time: never early, and the deadline that comes first wins ---------------------------------

task<> timers_program() {
  co_await with_task_group([](task_group& g) -> task<> {
    auto const nap = [](duration length) -> task<> {
      time_point const begin = clock::now();
      co_await sleep_for(length);
      require(clock::now() - begin >= length, "no sleep is too short");
    };
    for (int i = 0; i < 20; ++i) g.spawn(nap, duration(std::chrono::microseconds(drawn_below(5000))));
    duration const outer = std::chrono::microseconds(drawn_below(2000));
    duration const inner = std::chrono::microseconds(drawn_below(2000));
    bool inner_in_time = true;
    bool const outer_in_time = co_await move_on_after(outer, [&]() -> task<> {
      inner_in_time = co_await move_on_after(inner, []() -> task<> { co_await sleep_for(1h); });
      co_await yield();
    });
    require(outer_in_time || inner_in_time || outer >= inner || outer + 1ms >= inner,
            "the scope whose deadline comes first ends first");
    require(!(outer_in_time && inner_in_time), "an hour does not pass in two milliseconds");
    co_await g.join();
  });
}

// --- races: of several only one is taken, and the others leave nothing behind ------------------

task<> races_program() {
  tcp_listener listener = tcp_listener::listen(address::loopback(0));
  auto const race = [&]() -> task<> {
    tcp_stream near = co_await with_timeout(1min, tcp_stream::connect(listener.local_address()));
    tcp_stream far = co_await with_timeout(1min, listener.accept());
    std::string got;
    co_await with_task_group([&](task_group& g) -> task<> {
      auto const write = [&]() -> task<> {
        co_await sleep_for(std::chrono::microseconds(drawn_below(2000)));
        co_await near.write_all("12");
        near.shutdown(io::shutdown_direction::write);
      };
      g.spawn(write);
      auto const read = [&]() -> task<> {
        std::array<char, 1> one;
        std::size_t const n = co_await far.read_some(one);
        got.append(one.data(), n);
      };
      auto const wait = []() -> task<> { co_await sleep_for(std::chrono::microseconds(drawn_below(2500))); };
      co_await when_any(read(), wait());
      for (std::size_t n = 1; n != 0;) {  // before the join: a window may be a byte wide
        std::array<char, 2> rest;
        n = co_await far.read_some(rest);
        got.append(rest.data(), n);
      }
      co_await g.join();
    });
    require(got == "12", "the loser of a race has taken nothing");
  };
  co_await bear_faults(race());
}

// --- files: what was written is there ----------------------------------------------------------

task<> files_program() {
  std::size_t const bytes = 1 + drawn_below(20000);
  auto const write_and_read = [&]() -> task<> {
    file f = co_await file::open("data", file_mode::read_write);
    for (std::size_t place = 0; place < bytes;) {
      std::string const text = text_from(place, std::min<std::size_t>(bytes - place, 1 + drawn_below(700)));
      co_await f.write_at(place, text);
      place += text.size();
    }
    for (std::size_t place = 0; place < bytes;) {
      std::array<char, 400> buffer;
      std::size_t const n = co_await f.read_at(place, buffer);
      require(n != 0, "a file is as long as what was written");
      require(is_text_from(place, {buffer.data(), n}), "a file keeps what was written");
      place += n;
    }
    co_await f.close();
  };
  co_await bear_faults(write_and_read());
}

// --- rename: who opens a name that is being replaced reads an old or the new version, and all of it ---

std::string version(std::size_t number) {
  return std::to_string(number) + ":" + text_from(number, 200 + number);
}

task<> replace_versions(std::size_t versions) {
  for (std::size_t n = 0; n < versions; ++n) {
    std::string const text = version(n);
    file f = co_await file::open("config.new", file_mode::write);
    co_await f.write_at(0, text);
    co_await f.sync();
    co_await f.close();
    co_await io::rename("config.new", "config");
  }
}

task<std::string> whole_file(std::string path) {
  file f = co_await file::open(std::move(path));
  std::string all;
  for (std::size_t n = 1; n != 0;) {
    std::array<char, 128> buffer;
    n = co_await f.read_at(all.size(), buffer);
    all.append(buffer.data(), n);
  }
  co_return all;
}

task<> read_versions(bool const& done) {
  std::size_t last = 0;
  while (!done) {
    std::string const text = co_await whole_file("config");
    std::size_t const number = std::stoul(text);
    require(text == version(number), "a version is read whole");
    require(number >= last, "versions follow one another");
    last = number;
    co_await sleep_for(std::chrono::microseconds(drawn_below(300)));
  }
}

task<> rename_program() {
  auto const replace_and_read = []() -> task<> {
    co_await replace_versions(1);
    bool done = false;
    auto const replace = [&]() -> task<> {
      co_await replace_versions(2 + drawn_below(10));
      done = true;
    };
    co_await when_all(replace(), read_versions(done));
  };
  co_await bear_faults(replace_and_read());
}

constexpr program all[] = {
    {"echo", echo_program},     {"transfer", transfer_program}, {"memory", memory_program},
    {"drain", drain_program},   {"timers", timers_program},     {"races", races_program},
    {"files", files_program},   {"rename", rename_program},
};

}  // namespace

std::span<program const> programs() noexcept { return all; }

}  // namespace plait::seeds
