// The program's side of one worker: the process of the moment, and the jobs that it has.
#pragma once

#include "pool_descriptor.hpp"
#include "pool_event.hpp"
#include "pool_wire.hpp"

#include <plait/clock.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace plait::detail {

// A job that was given to a worker.
struct flight {
  std::uint64_t job = 0;            // 0: the slot is free
  process_operation* op = nullptr;  // null: cancelled or recalled; the worker is yet to skip it
  byte_buffer message;              // kept until the answer: if the worker dies first, it goes to another
};

//          asked the zygote      first frame          its end
//   absent -----------> starting -----------> ready -----------> absent
struct pool_worker {
  enum class stage : std::uint8_t { absent, starting, ready };

  explicit pool_worker(int place) noexcept : index(place) {}

  int const index;  // among the pool's workers
  stage now = stage::absent;
  std::uint32_t number = 0;  // of this process; every replacement gets another
  pid_t pid = 0;
  pid_t zygote = 0;  // that forked it
  pool_descriptor socket;
  pool_descriptor pidfd;
  control_page* page = nullptr;

  std::array<flight, control_page::slots> flights;
  unsigned load = 0;         // flights with an operation
  unsigned used = 0;         // slots that are not free
  std::deque<std::size_t> unsent;  // their slots, in order
  std::size_t sent_of_first = 0;   // bytes
  byte_buffer in;
  bool talks_nonsense = false;

  pool_event to_send;
  pool_event news;           // forked, exited, or the zygote is gone
  int fork_answer = 0;       // 0: none yet; a pid or a negative errno
  bool end_expected = false; // killed by the pool, or asked to go
  process_end end;

  std::deque<time_point> deaths;  // unexpected ones within the window
  std::string last_cause;

  bool is_ready() const noexcept { return now == stage::ready; }
};

}  // namespace plait::detail
