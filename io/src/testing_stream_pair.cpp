#include <plait/testing/stream_pair.hpp>

#include "testing_memory_channel.hpp"

#include <plait/detail/splitmix64.hpp>
#include <plait/io/detail/fault_plan.hpp>
#include <plait/scheduler.hpp>

#include <algorithm>
#include <cstring>
#include <new>

namespace plait::testing {
namespace detail {

memory_link::memory_link(stream_pair_options const& o)
    : options(o), channels_{{*this, std::max<std::size_t>(o.capacity, 1)},
                            {*this, std::max<std::size_t>(o.capacity, 1)}},
      random_state_(o.split_seed) {}

std::size_t memory_link::piece(std::size_t most) noexcept {
  most = std::clamp<std::size_t>(most, 1, std::max<std::size_t>(options.max_chunk, 1));
  if (options.split_seed == 0) return most;
  return 1 + static_cast<std::size_t>(plait::detail::splitmix64(random_state_) % most);
}

void memory_link::lose() noexcept {
  lost = true;
  for (memory_channel& c : channels_) c.settle();
}

void memory_link::close(int side) noexcept {
  closed[side] = true;
  memory_channel& in = channel(side, true);
  memory_channel& out = channel(side, false);
  in.reader_gone = true;
  in.settle();
  out.end();
}

void memory_channel::end() noexcept {
  if (ended) return;
  ended = true;
  duration const latency = link_.options.latency;
  if (latency != duration::zero()) {
    // A pair that is destroyed outside of a run tells nobody.
    if (scheduler* const s = scheduler::current_or_null()) end_arrives_ = s->now() + latency;
  }
  settle();
}

// A reader that takes bytes makes room for the writer, whose bytes may be the reader's next ones.
void memory_channel::settle() noexcept {
  if (std::exchange(settling_, true)) return;
  for (bool moved = true; moved;) {
    moved = step(writer);
    moved = step(reader) || moved;
  }
  settling_ = false;
  if (reader != nullptr) arm(*reader);
}

// Whether the operation has moved bytes; ends it where it is through.
bool memory_channel::step(memory_operation* o) noexcept {
  if (o == nullptr) return false;
  std::size_t const before = o->done_;
  bool through = true;
  try {
    through = o->reads_ ? read(*o) : write(*o);
  } catch (std::bad_alloc const&) {
    o->code_ = std::make_error_code(std::errc::not_enough_memory);
  }
  bool const moved = o->done_ != before;
  if (through) o->finish();
  return moved;
}

bool memory_channel::read(memory_operation& o) noexcept {
  look_at_clock();
  std::size_t const left = o.length_ - o.done_;
  o.done_ += take(o.buffer_ + o.done_, o.all_ ? left : link_.piece(left));
  if (o.done_ != 0 && (!o.all_ || o.done_ == o.length_)) return true;
  if (reads_ended) return true;
  if (held_ != 0) return false;
  if (link_.lost) {
    o.code_ = std::make_error_code(std::errc::connection_reset);
    return true;
  }
  return ended && (end_arrives_ == time_point{} || end_arrives_ <= scheduler::current().now());
}

bool memory_channel::write(memory_operation& o) {
  if (link_.lost || reader_gone || ended) {
    o.code_ = std::make_error_code(link_.lost ? std::errc::connection_reset : std::errc::broken_pipe);
    return true;
  }
  std::size_t const left = o.length_ - o.done_;
  std::size_t const allowed = link_.options.lose_after - link_.passed;
  std::size_t const piece = std::min(o.all_ ? left : link_.piece(left), allowed);
  std::size_t const n = put(o.buffer_ + o.done_, piece);
  o.done_ += n;
  link_.passed += n;
  if (link_.passed >= link_.options.lose_after) link_.lost = true;
  if (link_.lost) {
    memory_channel& other = link_.channel(1 - o.side_, false);
    other.settle();
    if (o.done_ == 0 || (o.all_ && o.done_ < o.length_)) {
      o.code_ = std::make_error_code(std::errc::connection_reset);
    }
    return true;
  }
  return o.all_ ? o.done_ == o.length_ : n != 0;
}

void memory_channel::look_at_clock() {
  if (under_way_.empty()) return;
  time_point const now = scheduler::current().now();
  for (; !under_way_.empty() && under_way_.front().at <= now; under_way_.pop_front()) {
    arrived_ += under_way_.front().bytes;
  }
}

std::size_t memory_channel::take(std::byte* into, std::size_t most) noexcept {
  std::size_t const n = std::min(most, arrived_);
  std::size_t const to_the_end = std::min(n, ring_.size() - first_);
  std::memcpy(into, ring_.data() + first_, to_the_end);
  std::memcpy(into + to_the_end, ring_.data(), n - to_the_end);
  first_ = (first_ + n) % ring_.size();
  arrived_ -= n;
  held_ -= n;
  return n;
}

std::size_t memory_channel::put(std::byte const* from, std::size_t most) {
  std::size_t const n = std::min(most, ring_.size() - held_);
  if (n == 0) return 0;
  duration const latency = link_.options.latency;
  if (latency == duration::zero()) {
    arrived_ += n;
  } else {
    under_way_.push_back({scheduler::current().now() + latency, n});
  }
  std::size_t const last = (first_ + held_) % ring_.size();
  std::size_t const to_the_end = std::min(n, ring_.size() - last);
  std::memcpy(ring_.data() + last, from, to_the_end);
  std::memcpy(ring_.data(), from + to_the_end, n - to_the_end);
  held_ += n;
  return n;
}

// Nobody else wakes a reader when what is under way arrives.
void memory_channel::arm(memory_operation& o) noexcept {
  bool const end_is_next = under_way_.empty() && ended;
  if (o.armed() || (under_way_.empty() && !end_is_next)) return;
  scheduler::current().timers().arm(o, end_is_next ? end_arrives_ : under_way_.front().at);
}

}  // namespace detail

using detail::memory_link;

memory_operation::memory_operation(std::shared_ptr<memory_link> link, int side, bool reads,
                                   std::byte* buffer, std::size_t length) noexcept
    : timer(&ring), link_(std::move(link)), buffer_(buffer), length_(length), side_(side),
      reads_(reads) {}

memory_operation::memory_operation(memory_operation&& other) noexcept
    : operation(std::move(other)), timer(&ring), link_(std::move(other.link_)),
      buffer_(other.buffer_), length_(other.length_), side_(other.side_), reads_(other.reads_),
      all_(other.all_) {}

detail::memory_channel& memory_operation::channel() const noexcept {
  return link_->channel(side_, reads_);
}

char const* memory_operation::name() const noexcept { return reads_ ? "read" : "write"; }

bool memory_operation::start(plait::detail::task_state& task) {
  int const fault = length_ != 0 ? io::detail::fault_of(name()) : 0;
  if (fault != 0) {
    code_ = {fault, std::generic_category()};
  } else if (length_ != 0 && (link_ == nullptr || link_->closed[side_])) {
    code_ = std::make_error_code(std::errc::bad_file_descriptor);
  } else if (length_ != 0) {
    detail::memory_channel& c = channel();
    memory_operation*& place = reads_ ? c.reader : c.writer;
    if (place == nullptr) {
      place = this;
      starting_ = true;
      c.settle();
      starting_ = false;
      if (!finished_) {
        begin(task);
        return true;
      }
    } else {
      code_ = io::errc::busy;
    }
  }
  complete_inline(status::done);
  return false;
}

void memory_operation::ring(timer& t) noexcept {
  static_cast<memory_operation&>(t).channel().settle();
}

void memory_operation::withdraw() noexcept {
  detail::memory_channel& c = channel();
  (reads_ ? c.reader : c.writer) = nullptr;
  if (timer::armed()) scheduler::current().timers().cancel(*this);
}

void memory_operation::finish() noexcept {
  withdraw();
  finished_ = true;
  if (!starting_) complete(status::done);
}

void memory_operation::cancel() noexcept {
  withdraw();
  complete(status::cancelled);
}

io::io_failure memory_operation::failure() const noexcept {
  return {code_ ? code_ : make_error_code(io::errc::end_of_file), done_, name()};
}

std::size_t memory_operation::result() const {
  if (failed()) throw io::io_error(failure());
  return done_;
}

io::result<std::size_t> memory_operation::expected() const {
  if (failed()) return tl::unexpected(failure());
  return done_;
}

memory_stream::memory_stream(std::shared_ptr<memory_link> link, int side) noexcept
    : link_(std::move(link)), side_(side) {}

memory_stream::memory_stream(memory_stream&& other) noexcept
    : link_(std::move(other.link_)), side_(other.side_) {}

memory_stream& memory_stream::operator=(memory_stream&& other) noexcept {
  if (this == &other) return *this;
  close_now();
  link_ = std::move(other.link_);
  side_ = other.side_;
  return *this;
}

memory_stream::~memory_stream() { close_now(); }

void memory_stream::close_now() noexcept {
  std::shared_ptr<memory_link> const link = std::exchange(link_, nullptr);
  if (link == nullptr) return;
  bool const waited_for =
      link->channel(side_, true).reader != nullptr || link->channel(side_, false).writer != nullptr;
  PLAIT_CHECK(!waited_for,
              "a stream was destroyed while a task waits for it; end the task first, or await close()");
  link->close(side_);
}

memory_operation memory_stream::begin(bool reads, void const* buffer,
                                      std::size_t length) const noexcept {
  return memory_operation(link_, side_, reads,
                          static_cast<std::byte*>(const_cast<void*>(buffer)), length);
}

memory_operation memory_stream::read_some(io::mutable_buffer into) noexcept {
  return begin(true, into.data(), into.size());
}

memory_operation memory_stream::read_exactly(io::mutable_buffer into) noexcept {
  memory_operation o = begin(true, into.data(), into.size());
  o.all_ = true;
  return o;
}

memory_operation memory_stream::write_some(io::const_buffer from) noexcept {
  return begin(false, from.data(), from.size());
}

memory_operation memory_stream::write_all(io::const_buffer from) noexcept {
  memory_operation o = begin(false, from.data(), from.size());
  o.all_ = true;
  return o;
}

void memory_stream::shutdown(io::shutdown_direction direction) {
  if (link_ == nullptr) {
    throw io::io_error({std::make_error_code(std::errc::bad_file_descriptor), 0, "shutdown"});
  }
  if (direction != io::shutdown_direction::write) link_->channel(side_, true).end_reading();
  if (direction != io::shutdown_direction::read) link_->channel(side_, false).end();
}

task<> memory_stream::close() {
  if (link_ == nullptr) co_return;
  for (memory_operation* const waiting :
       {link_->channel(side_, true).reader, link_->channel(side_, false).writer}) {
    if (waiting == nullptr) continue;
    waiting->code_ = io::errc::closed;
    waiting->finish();
  }
  close_now();
}

void memory_stream::abort() noexcept {
  if (link_ == nullptr) return;
  link_->lose();
  close_now();
}

std::pair<memory_stream, memory_stream> stream_pair(stream_pair_options options) {
  auto const link = std::make_shared<memory_link>(options);
  return {memory_stream(link, 0), memory_stream(link, 1)};
}

}  // namespace plait::testing
