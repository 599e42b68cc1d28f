// plait's own streams keep every promise, on every driver; and a stream that breaks one is found out,
// with the promise's name.
#include <plait/testing/check_stream.hpp>

#include "support/io_test.hpp"

#include <plait/cancel.hpp>
#include <plait/io/tcp.hpp>
#include <plait/io/unix.hpp>
#include <plait/sleep.hpp>
#include <plait/task_group.hpp>
#include <plait/testing/manual_driver.hpp>
#include <plait/testing/sim.hpp>
#include <plait/testing/stream_pair.hpp>

#include <catch2/catch.hpp>

#include <chrono>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using plait::task;
using plait::io::address;
using plait::io::tcp_listener;
using plait::io::tcp_stream;
using plait::io::unix_stream;
using plait::testing::check_failed;
using plait::testing::check_stream;
using plait::testing::for_each_seed;
using plait::testing::manual_scheduler;
using plait::testing::memory_stream;
using plait::testing::stream_pair;
using plait::testing::stream_pair_options;
namespace io = plait::io;

namespace {

using memory_pair = std::pair<memory_stream, memory_stream>;

// A function object that gives a task of a pair.
auto in_memory(stream_pair_options options) {
  return [options]() -> task<memory_pair> { co_return stream_pair(options); };
}

task<std::pair<tcp_stream, tcp_stream>> over_tcp() {
  tcp_listener listener = tcp_listener::listen(address::loopback(0));
  tcp_stream client = co_await tcp_stream::connect(listener.local_address());
  tcp_stream server = co_await listener.accept();
  co_return std::make_pair(std::move(client), std::move(server));
}

task<std::pair<unix_stream, unix_stream>> over_unix() { co_return unix_stream::pair(); }

// What is wrong with a broken_stream.
enum class defect {
  none,
  loses_a_byte,
  reads_too_much,
  writes_too_much,
  reads_exactly_some,
  empty_write_ends,
  end_only_once,
  shutdown_closes,
  writes_after_shutdown,
  truncated_is_fine,
  readers_share,
  writers_share,
  cancelled_read_takes,
  cancelled_write_gives,
  close_says_end,
  close_leaves_waiters,
  closed_reads_on,
  closed_twice_throws,
  peer_close_goes_unheard,
  writes_to_nobody,
};

bool somebody_closed = false;  // of a pair of broken streams

class broken_stream {
 public:
  broken_stream(memory_stream s, defect d) : s_(std::move(s)), d_(d) {}

  task<std::size_t> read_some(io::mutable_buffer into) {
    if (closed_ && d_ == defect::closed_reads_on) co_return 0;
    if (d_ == defect::end_only_once && ended_) co_await plait::sleep_forever();
    if (d_ == defect::readers_share && std::exchange(reading_, true)) co_return 0;
    std::size_t n = 0;
    if (d_ == defect::peer_close_goes_unheard || d_ == defect::close_says_end) {
      auto const got = co_await io::as_result(s_.read_some(into));
      if (got && *got == 0 && d_ == defect::peer_close_goes_unheard && somebody_closed) {
        co_await plait::sleep_forever();
      }
      bool const hushed = d_ == defect::close_says_end && !got && got.error().code == io::errc::closed;
      if (!got && !hushed) throw io::io_error(got.error());
      n = got ? *got : 0;
    } else if (d_ == defect::cancelled_read_takes) {
      n = co_await s_.read_some(into);
      co_await plait::sleep_for(20us);  // a cancel point with the bytes in hand
    } else {
      n = co_await s_.read_some(into);
    }
    reading_ = false;
    ended_ = ended_ || (n == 0 && into.size() != 0);
    if (d_ == defect::loses_a_byte && n > 1) --n;
    if (d_ == defect::reads_too_much && into.size() == 4) into.data()[4] = std::byte{0};
    co_return n;
  }

  task<std::size_t> read_exactly(io::mutable_buffer into) {
    if (d_ == defect::reads_exactly_some) co_return co_await s_.read_some(into);
    if (d_ != defect::truncated_is_fine) co_return co_await s_.read_exactly(into);
    auto const got = co_await io::as_result(s_.read_exactly(into));
    co_return got ? *got : got.error().transferred;
  }

  task<std::size_t> write_some(io::const_buffer from) {
    if (from.size() == 0 && d_ == defect::empty_write_ends) s_.shutdown(io::shutdown_direction::write);
    if (writing_ && d_ == defect::writers_share) co_return 1;
    std::size_t const n = co_await write(from, s_.write_some(from));
    if (d_ == defect::writes_too_much) co_return n + 1;
    if (d_ == defect::cancelled_write_gives) co_await plait::sleep_for(20us);
    co_return n;
  }

  task<std::size_t> write_all(io::const_buffer from) {
    writing_ = true;
    std::size_t const n = co_await write(from, s_.write_all(from));
    writing_ = false;
    co_return n;
  }

  void shutdown(io::shutdown_direction direction) {
    shut_ = true;
    s_.shutdown(d_ == defect::shutdown_closes ? io::shutdown_direction::both : direction);
  }

  task<> close() {
    somebody_closed = true;
    if (std::exchange(closed_, true) && d_ == defect::closed_twice_throws) {
      throw std::runtime_error("it is closed");
    }
    if (d_ != defect::close_leaves_waiters) co_await s_.close();
  }

 private:
  task<std::size_t> write(io::const_buffer from, plait::testing::memory_operation operation) {
    auto const done = co_await io::as_result(std::move(operation));
    if (done) co_return *done;
    bool const pretends = (shut_ && d_ == defect::writes_after_shutdown) ||
                          (!shut_ && !closed_ && d_ == defect::writes_to_nobody &&
                           done.error().code == std::errc::broken_pipe);
    if (!pretends) throw io::io_error(done.error());
    co_return from.size();
  }

  memory_stream s_;
  defect d_;
  bool shut_ = false;
  bool closed_ = false;
  bool ended_ = false;
  bool reading_ = false;
  bool writing_ = false;
};

// What check_stream says of it.
std::string verdict(defect d) {
  auto const make = [d]() -> task<std::pair<broken_stream, broken_stream>> {
    auto streams = stream_pair({.split_seed = 3});
    somebody_closed = false;
    co_return std::make_pair(broken_stream(std::move(streams.first), d),
                             broken_stream(std::move(streams.second), d));
  };
  try {
    manual_scheduler m;
    m.run([&] { return check_stream(make, {.beyond_buffers = 1 << 17}); });
  } catch (check_failed const& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("check_stream: a stream_pair keeps every promise, whatever its options") {
  for (stream_pair_options const o :
       {stream_pair_options{}, stream_pair_options{.max_chunk = 1, .capacity = 16},
        stream_pair_options{.split_seed = 11}, stream_pair_options{.capacity = 100, .latency = 1us}}) {
    manual_scheduler m;
    CHECK_NOTHROW(m.run([&] { return check_stream(in_memory(o), {.beyond_buffers = 1 << 17}); }));
  }
}

TEST_CASE("check_stream: streams in simulation keep every promise, whatever the seed") {
  CHECK_NOTHROW(for_each_seed(
      10, [] { return check_stream(in_memory({.split_seed = 5}), {.beyond_buffers = 1 << 17}); }));
  CHECK_NOTHROW(for_each_seed(20, [] { return check_stream(over_tcp, {.beyond_buffers = 1 << 17}); },
                              {.window_bytes_max = 20'000}));
}

IO_TEST("check_stream: TCP streams keep every promise") {
  CHECK_NOTHROW(io.run([] { return check_stream(over_tcp); }));
}

IO_TEST("check_stream: UNIX streams keep every promise") {
  CHECK_NOTHROW(io.run([] { return check_stream(over_unix); }));
}

IO_TEST("check_stream: a stream_pair keeps every promise on a kernel driver") {
  CHECK_NOTHROW(io.run([] { return check_stream(in_memory({.split_seed = 2})); }));
}

TEST_CASE("check_stream: a broken promise is found and named") {
  struct expected {
    defect d;
    char const* promise;
  };
  CHECK(verdict(defect::none) == "");
  for (expected const e : {
           expected{defect::loses_a_byte, "bytes arrive once and in order"},
           expected{defect::reads_too_much, "read_some gives one byte at least"},
           expected{defect::writes_too_much, "write_some takes one byte at least"},
           expected{defect::reads_exactly_some, "read_exactly fills its buffer"},
           expected{defect::empty_write_ends, "empty buffers are done at once"},
           expected{defect::end_only_once, "after a shutdown the peer reads"},
           expected{defect::shutdown_closes, "goes on reading"},
           expected{defect::writes_after_shutdown, "a write after a shutdown"},
           expected{defect::truncated_is_fine, "read_exactly fails with errc::end_of_file"},
           expected{defect::readers_share, "a second reader gets errc::busy"},
           expected{defect::writers_share, "a second writer gets errc::busy"},
           expected{defect::cancelled_read_takes, "a read that is cancelled"},
           expected{defect::cancelled_write_gives, "a write that is cancelled"},
           expected{defect::close_says_end, "close ends a waiting read"},
           expected{defect::close_leaves_waiters, "close ends a waiting"},
           expected{defect::closed_reads_on, "a closed stream refuses"},
           expected{defect::closed_twice_throws, "may be closed again"},
           expected{defect::peer_close_goes_unheard, "when the peer closes"},
           expected{defect::writes_to_nobody, "a write to a peer that has closed"},
       }) {
    std::string const said = verdict(e.d);
    INFO("defect " << static_cast<int>(e.d) << ": " << said);
    CHECK(said.find("a promise is broken: ") == 0);
    CHECK(said.find(e.promise) != std::string::npos);
  }
}
