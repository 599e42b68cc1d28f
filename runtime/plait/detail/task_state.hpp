// The control block of a task, and what a coroutine frame of plait begins with.
//
// A task is a chain of frames: each frame was started by the co_await of its parent. The task's
// control block knows the leaf of the chain, where it continues. The ready queue links leaves, so that
// a task that only gives way touches nothing but its frame.
#pragma once

#include <plait/detail/config.hpp>
#include <plait/detail/frame_pool.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <source_location>

namespace plait {
class cancel_scope;
class cancellable;
}  // namespace plait

namespace plait::detail {

struct task_state;

// What stands where a coroutine frame has its promise, and so can be resumed. The parent is both the
// continuation and the next line of the task's stack trace; the end of the chain has none.
struct resumable {
  resumable* parent PLAIT_WITH_ASSERTIONS(= nullptr);  // null also until it is awaited
  resumable* next_ready;

  // A frame is {resume, destroy, promise}: the promise stands at a fixed offset while its alignment
  // is at most two words, which task_promise asserts.
  std::coroutine_handle<> handle() noexcept {
    return std::coroutine_handle<resumable>::from_promise(*this);
  }
};

// First base of every promise.
struct frame_link : resumable {
  frame_link() noexcept {}

#if PLAIT_TASK_TRACKING
  union {  // no constructor: it is set where the frame awaits, or is queued before it has run
    std::source_location await_at;
  };
  void note_await(std::source_location at) noexcept { await_at = at; }
#else
  static constexpr std::source_location await_at{};
  void note_await(std::source_location) noexcept {}
#endif
  task_state* owner;

  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { free_frame(frame, bytes); }
};

// The end of every chain: a frame made by hand, whose resume function is what happens when the
// task's first coroutine has returned. Its layout is that of a coroutine frame in the ABI that GCC
// and clang share, and that libstdc++ builds its noop_coroutine with.
struct root_frame {
  using resume_fn = void (*)(root_frame*);  // throw nothing; noexcept would allow no guaranteed tail call
  root_frame(resume_fn on_resume, resume_fn on_destroy) noexcept
      : resume(on_resume), destroy(on_destroy) {}

  resume_fn resume;
  resume_fn destroy;  // frees the task, and is called when it has returned
};

struct task_state : root_frame {
  task_state(resume_fn on_resume, resume_fn on_destroy, cancel_scope* in) noexcept
      : root_frame(on_resume, on_destroy), scope(in) {
    link.parent = nullptr;
  }
  task_state(task_state const&) = delete;
  task_state& operator=(task_state const&) = delete;

  std::coroutine_handle<> root_handle() noexcept {
    return std::coroutine_handle<>::from_address(static_cast<root_frame*>(this));
  }

  resumable link;                  // parent of the first coroutine
  // Continues here when what it is blocked on completes; where it is ready, the queue knows better. Null
  // in a case of a select, which is no task: there `resume` is called when the operation completes.
  frame_link* leaf;
  cancellable* blocked = nullptr;  // what it is suspended on, while that may be cancelled
  cancel_scope* scope;             // innermost
#if PLAIT_TASK_TRACKING
  char const* name = nullptr;
  void set_name(char const* given) noexcept { name = given; }
#else
  static constexpr char const* name = nullptr;
  void set_name(char const*) noexcept {}
#endif
};

// What stands in the place of the task for one of several operations that a task awaits at once.
struct stand_in : task_state {
  stand_in(resume_fn on_completion, task_state& waiting) noexcept
      : task_state(on_completion, nullptr, waiting.scope), task(&waiting) {
    leaf = nullptr;
  }
  task_state* task;
};

// The task that waits, also where an operation was begun for a stand-in, or for the stand-in of one.
inline task_state& real_task(task_state& waiter) noexcept {
  task_state* task = &waiter;
  while (task->leaf == nullptr) task = static_cast<stand_in*>(task)->task;
  return *task;
}

static_assert(sizeof(root_frame) == 2 * sizeof(void*));

}  // namespace plait::detail
