// One direction of a stream_pair, and the pair.
#pragma once

#include <plait/testing/stream_pair.hpp>

#include <deque>
#include <memory>
#include <vector>

namespace plait::testing::detail {

// Bytes that one end has written and the other has not read. At most one operation waits at either
// side; whatever changes the channel settles it: both go on as far as they can.
class memory_channel {
 public:
  memory_channel(memory_link& link, std::size_t capacity)
      : link_(link), ring_(capacity) {}

  void settle() noexcept;

  void end() noexcept;          // the writer is done
  void end_reading() noexcept { reads_ended = true; settle(); }

  memory_operation* reader = nullptr;
  memory_operation* writer = nullptr;
  bool ended = false;         // by the writer
  bool reads_ended = false;   // by the reader: it gets 0 where nothing is left
  bool reader_gone = false;

 private:
  struct segment {
    time_point at;
    std::size_t bytes;
  };

  bool step(memory_operation* o) noexcept;
  bool read(memory_operation& o) noexcept;
  bool write(memory_operation& o);
  void look_at_clock();
  std::size_t take(std::byte* into, std::size_t most) noexcept;
  std::size_t put(std::byte const* from, std::size_t most);
  void arm(memory_operation& o) noexcept;

  memory_link& link_;
  std::vector<std::byte> ring_;
  std::size_t first_ = 0;    // position of the oldest byte
  std::size_t held_ = 0;     // bytes in the ring
  std::size_t arrived_ = 0;  // of them, from the oldest on
  std::deque<segment> under_way_;
  time_point end_arrives_{};
  bool settling_ = false;
};

class memory_link {
 public:
  explicit memory_link(stream_pair_options const& o);

  // What the end `side` reads from, or writes to.
  memory_channel& channel(int side, bool reads) noexcept { return channels_[reads ? side : 1 - side]; }
  std::size_t piece(std::size_t most) noexcept;
  void lose() noexcept;
  void close(int side) noexcept;

  stream_pair_options options;
  std::size_t passed = 0;  // bytes, both directions
  bool lost = false;
  bool closed[2] = {false, false};  // the ends

 private:
  memory_channel channels_[2];
  std::uint64_t random_state_;
};

}  // namespace plait::testing::detail
