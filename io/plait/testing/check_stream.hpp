// Checks that a stream type keeps the promises that plait's streams make, for those who write one of
// their own (a TLS stream, a tunnel, a test double); after trio's check_two_way_stream.
//
//     task<std::pair<my_stream, my_stream>> connected();
//     co_await check_stream(connected);
//
// The type is movable and has read_some, read_exactly, write_some, write_all, shutdown and close as
// io::tcp_stream has them; what they give is awaited, be it an operation or a task. Each promise gets a
// pair of its own, made by make_pair(), which must take 16 bytes while nobody reads. Throws
// check_failed, which names the promise that is broken. One that hangs is cancelled after `patience`,
// on the clock of the driver; in a simulated run that costs no time.
#pragma once

#include <plait/clock.hpp>
#include <plait/io/buffer.hpp>
#include <plait/io/byte_stream.hpp>
#include <plait/task.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace plait::testing {

// `what()` has the promise and how it was broken.
class check_failed : public std::runtime_error {
 public:
  explicit check_failed(std::string const& why) : std::runtime_error(why) {}
};

struct check_stream_options {
  duration patience = std::chrono::seconds(5);    // with each promise
  duration pause = std::chrono::milliseconds(1);  // in which a task that was started comes to wait
  std::size_t beyond_buffers = 16 << 20;  // bytes: more than are taken while nobody reads
};

namespace detail {

// Any stream, so that the checks are compiled once.
class checked_stream {
 public:
  virtual ~checked_stream() = default;
  virtual task<std::size_t> read_some(io::mutable_buffer into) = 0;
  virtual task<std::size_t> read_exactly(io::mutable_buffer into) = 0;
  virtual task<std::size_t> write_some(io::const_buffer from) = 0;
  virtual task<std::size_t> write_all(io::const_buffer from) = 0;
  virtual void shutdown_write() = 0;
  virtual task<> close() = 0;
};

template <class Stream>
class checked final : public checked_stream {
 public:
  explicit checked(Stream s) : stream_(std::move(s)) {}
  task<std::size_t> read_some(io::mutable_buffer into) override {
    co_return co_await stream_.read_some(into);
  }
  task<std::size_t> read_exactly(io::mutable_buffer into) override {
    co_return co_await stream_.read_exactly(into);
  }
  task<std::size_t> write_some(io::const_buffer from) override {
    co_return co_await stream_.write_some(from);
  }
  task<std::size_t> write_all(io::const_buffer from) override {
    co_return co_await stream_.write_all(from);
  }
  void shutdown_write() override { stream_.shutdown(io::shutdown_direction::write); }
  task<> close() override { return stream_.close(); }

 private:
  Stream stream_;
};

struct checked_pair {
  std::unique_ptr<checked_stream> a;
  std::unique_ptr<checked_stream> b;
};

task<> check_streams(std::function<task<checked_pair>()> const& make, check_stream_options options);

}  // namespace detail

// make_pair() gives a task of a std::pair of connected streams, which may be of two types.
template <class MakePair>
task<> check_stream(MakePair make_pair, check_stream_options options = {}) {
  std::function<task<detail::checked_pair>()> const make = [&]() -> task<detail::checked_pair> {
    auto streams = co_await std::invoke(make_pair);
    using first = decltype(streams.first);
    using second = decltype(streams.second);
    detail::checked_pair made;
    made.a = std::make_unique<detail::checked<first>>(std::move(streams.first));
    made.b = std::make_unique<detail::checked<second>>(std::move(streams.second));
    co_return made;
  };
  co_await detail::check_streams(make, options);
}

}  // namespace plait::testing
