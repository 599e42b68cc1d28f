// Two connected streams in memory, for tests of whatever is written over a stream: no descriptor, no
// kernel, any driver (a manual clock's and a simulated world's as well).
//
//     auto [client, server] = stream_pair({.max_chunk = 1, .latency = 5ms});
//
// A memory_stream behaves as a tcp_stream does: what is awaited, the errors, errc::busy for a second
// reader, close and cancellation. A cancelled read_some or write_some has moved nothing. Once the peer
// is closed a write fails with broken_pipe at once, and what it had sent can be read before the end.
// Both ends belong to one scheduler's thread. Destroying an end closes it; nobody may wait for it then.
#pragma once

#include <plait/clock.hpp>
#include <plait/detail/timer_wheel.hpp>
#include <plait/io/buffer.hpp>
#include <plait/io/byte_stream.hpp>
#include <plait/io/error.hpp>
#include <plait/operation.hpp>
#include <plait/task.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>

namespace plait::testing {

struct stream_pair_options {
  static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

  std::size_t max_chunk = no_limit;   // bytes that one read_some or write_some moves at most
  std::uint64_t split_seed = 0;       // not 0: each moves a part, of a size drawn from this seed
  std::size_t capacity = 65536;       // bytes of a direction that nobody has read; then writers wait
  duration latency = duration::zero();  // from a write to the peer's read, of an end as well
  std::size_t lose_after = no_limit;  // bytes in both directions; then both ends get a reset
};

namespace detail {
class memory_link;
class memory_channel;
}  // namespace detail

class memory_stream;

// What a memory_stream's functions give; io::as_result and with_timeout take it like a socket's.
class memory_operation : public operation, private plait::detail::timer {
 public:
  memory_operation(memory_operation&& other) noexcept;
  ~memory_operation() = default;

  bool start(plait::detail::task_state& task);
  bool waits_for(std::size_t n, wait_info& into) const noexcept override {
    into = wait_info();
    into.what = reads_ ? "read of a memory stream" : "write to a memory stream";
    return n == 0;
  }
  std::size_t result() const;
  io::result<std::size_t> expected() const;
  static auto failed(std::error_code code) {
    return tl::unexpected(io::io_failure{code, 0, "timeout"});
  }

 private:
  friend class memory_stream;
  friend class detail::memory_link;
  friend class detail::memory_channel;

  memory_operation(std::shared_ptr<detail::memory_link> link, int side, bool reads, std::byte* buffer,
                   std::size_t length) noexcept;
  static void ring(timer& t) noexcept;
  void cancel() noexcept override;
  void withdraw() noexcept;
  void finish() noexcept;
  bool failed() const noexcept { return code_ || (all_ && done_ < length_); }
  io::io_failure failure() const noexcept;
  char const* name() const noexcept;
  detail::memory_channel& channel() const noexcept;

  std::shared_ptr<detail::memory_link> link_;  // null: the stream was not open
  std::byte* buffer_;
  std::size_t length_;
  std::size_t done_ = 0;
  std::error_code code_;
  int side_;  // of the link
  bool reads_;
  bool all_ = false;
  bool starting_ = false;
  bool finished_ = false;
};

class memory_stream {
 public:
  memory_stream() noexcept = default;
  memory_stream(memory_stream&& other) noexcept;
  memory_stream& operator=(memory_stream&& other) noexcept;
  ~memory_stream();

  // As byte_stream.hpp has them.
  memory_operation read_some(io::mutable_buffer into) noexcept;
  memory_operation read_exactly(io::mutable_buffer into) noexcept;
  memory_operation write_some(io::const_buffer from) noexcept;
  memory_operation write_all(io::const_buffer from) noexcept;
  void shutdown(io::shutdown_direction direction);
  task<> close();

  // The peer gets a reset instead of an end of stream.
  void abort() noexcept;
  bool is_open() const noexcept { return link_ != nullptr; }

 private:
  friend std::pair<memory_stream, memory_stream> stream_pair(stream_pair_options options);

  memory_stream(std::shared_ptr<detail::memory_link> link, int side) noexcept;
  memory_operation begin(bool reads, void const* buffer, std::size_t length) const noexcept;
  void close_now() noexcept;

  std::shared_ptr<detail::memory_link> link_;
  int side_ = 0;
};

std::pair<memory_stream, memory_stream> stream_pair(stream_pair_options options = {});

}  // namespace plait::testing
