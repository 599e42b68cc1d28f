// What a process pool's processes say to each other. All of them run the same build, so these are
// plain structures.
//
//   program <-- control: SEQPACKET, one control_message each --> zygote
//   program <-- frames: STREAM, a frame_header and its payload --> worker, for each worker
//   program <-- control_page: shared memory, the true state of what was sent --> worker
#pragma once

#include <plait/process_pool.hpp>
#include <plait/system_calls.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/types.h>

namespace plait::detail {

// --- program and zygote ---------------------------------------------------------------------

enum class control_kind : std::uint32_t {
  hello = 1,  // zygote: lives, `identity` of its program
  fork,       // program: make worker `number`; with worker_descriptors
  forked,     // zygote: worker `number` has `pid`, or -errno; with its pidfd
  exited,     // zygote: `pid` ended with wait status `status`, and has been waited for
};

struct control_message {
  control_kind kind{};
  std::uint32_t number = 0;
  std::int32_t pid = 0;
  std::int32_t status = 0;
  std::uint64_t identity = 0;
  std::uint64_t message_bytes_max = 0;
};

// What comes with `fork`, in this order.
enum worker_descriptors { worker_socket, worker_page, worker_lifeline, worker_descriptor_count };

inline constexpr std::size_t descriptors_max = worker_descriptor_count;

struct received_control {
  control_message message;
  std::array<int, descriptors_max> descriptors;  // -1: none
};

// A negative errno, or 0.
int send_control(system_calls& sys, int fd, control_message const& message,
                 std::span<int const> descriptors, int flags);
// 1: a message; 0: the other end has closed; or a negative errno, -EBADMSG for what is no message of ours.
// With a message the receiver owns the descriptors; else there are none.
int receive_control(system_calls& sys, int fd, received_control& to, int flags);

// --- program and worker ---------------------------------------------------------------------

enum class frame_kind : std::uint16_t {
  ready = 1,  // worker: takes jobs
  job,        // program: payload is the callable and the arguments
  value,      // worker: payload is the value
  error,      // worker: payload is the exception
  skipped,    // worker: the job had been cancelled before it began
};

struct frame_header {
  std::uint32_t length = 0;  // of the payload
  frame_kind kind{};
  std::uint16_t slot = 0;  // in the control page
  std::uint64_t job = 0;
  function_key function{};
};
static_assert(sizeof(frame_header) == frame_header_bytes);

// --- shared ---------------------------------------------------------------------------------

// Each slot's word is {job number:62, state:2}. The number keeps a slow reader from taking a new
// job's state for that of the one before.
//
//   queued --worker begins--> running --worker has the answer--> done
//     |
//     +--program takes it back--> cancelled
//
// Both sides leave `queued` by compare-and-swap, so exactly one of them gets the job.
enum class slot_state : std::uint64_t { queued, running, done, cancelled };

constexpr std::uint64_t slot_word(std::uint64_t job, slot_state state) noexcept {
  return job << 2 | static_cast<std::uint64_t>(state);
}

struct control_page {
  static constexpr std::size_t slots = 64;
  std::array<std::atomic<std::uint64_t>, slots> slot;

  bool move(std::size_t at, std::uint64_t job, slot_state from, slot_state to) noexcept {
    std::uint64_t expected = slot_word(job, from);
    return slot[at].compare_exchange_strong(expected, slot_word(job, to));
  }
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared between processes");

}  // namespace plait::detail
