#pragma once

// The least that a C++20 coroutine runtime has to do: one thread, an intrusive run queue, frames
// from free lists, symmetric transfer; no atomics, no type erasure, no cancellation, no exceptions.

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <utility>
#include <vector>

namespace plait::lab::raw {

// Frames by size class, carved from slabs, never given back.
class frames {
 public:
  void* get(std::size_t bytes) {
    std::size_t const c = (bytes + grain - 1) / grain;
    if (c >= classes) [[unlikely]]
      return std::malloc(bytes);
    if (cell* const p = free_[c]) [[likely]] {
      free_[c] = p->next;
      return p;
    }
    return carve(c);
  }
  void put(void* p, std::size_t bytes) {
    std::size_t const c = (bytes + grain - 1) / grain;
    if (c >= classes) [[unlikely]]
      return std::free(p);
    auto* const back = static_cast<cell*>(p);
    back->next = free_[c];
    free_[c] = back;
  }

 private:
  static constexpr std::size_t grain = 16, classes = 64, slab = 64 * 1024;
  struct cell {
    cell* next;
  };

  [[gnu::noinline]] void* carve(std::size_t c) {
    std::size_t const bytes = c * grain;
    if (static_cast<std::size_t>(end_ - bump_) < bytes) {
      bump_ = static_cast<char*>(std::aligned_alloc(64, slab));
      if (!bump_) std::abort();
      end_ = bump_ + slab;
    }
    return std::exchange(bump_, bump_ + bytes);
  }

  cell* free_[classes]{};
  char* bump_ = nullptr;
  char* end_ = nullptr;
};
inline thread_local constinit frames thread_frames{};

struct framed {
  static void* operator new(std::size_t bytes) { return thread_frames.get(bytes); }
  static void operator delete(void* p, std::size_t bytes) { thread_frames.put(p, bytes); }
};

class loop;

struct node {
  node* next = nullptr;
  std::coroutine_handle<> handle;
  loop* home = nullptr;  // where another thread would post it: a runtime cannot do without
};

struct timer : node {
  std::uint64_t when = 0;
  std::size_t at = 0;
};

// A 4-ary heap.
class timer_heap {
 public:
  void arm(timer* t) {
    heap_.push_back(t);
    up(heap_.size() - 1);
  }
  void cancel(timer* t) {
    std::size_t const i = t->at;
    timer* const last = heap_.back();
    heap_.pop_back();
    if (last == t) return;
    place(last, i);
    up(i);
    down(last->at);
  }

 private:
  void place(timer* t, std::size_t i) {
    heap_[i] = t;
    t->at = i;
  }
  void up(std::size_t i) {
    timer* const t = heap_[i];
    while (i > 0) {
      std::size_t const parent = (i - 1) / 4;
      if (heap_[parent]->when <= t->when) break;
      place(heap_[parent], i);
      i = parent;
    }
    place(t, i);
  }
  void down(std::size_t i) {
    timer* const t = heap_[i];
    std::size_t const n = heap_.size();
    for (std::size_t child = 4 * i + 1; child < n; child = 4 * i + 1) {
      std::size_t best = child;
      for (std::size_t k = child + 1; k < child + 4 && k < n; ++k)
        if (heap_[k]->when < heap_[best]->when) best = k;
      if (heap_[best]->when >= t->when) break;
      place(heap_[best], i);
      i = best;
    }
    place(t, i);
  }

  std::vector<timer*> heap_;
};

class loop {
 public:
  void push(node* n) {
    n->next = nullptr;
    (tail_ ? tail_->next : head_) = n;
    tail_ = n;
  }
  void run() {
    while (node* const n = head_) {
      if (!(head_ = n->next)) tail_ = nullptr;
      n->handle.resume();
    }
  }
  timer_heap timers;

 private:
  node* head_ = nullptr;
  node* tail_ = nullptr;
};
inline thread_local constinit loop* here = nullptr;

template <class T>
struct result_store {
  T value{};
  void return_value(T v) { value = v; }
  T take() { return value; }
};
template <>
struct result_store<void> {
  void return_void() {}
  void take() {}
};

template <class T = void>
class [[nodiscard]] task {
 public:
  struct promise_type;
  using handle_type = std::coroutine_handle<promise_type>;
  struct final_awaiter {
    bool await_ready() noexcept { return false; }
    std::coroutine_handle<> await_suspend(handle_type h) noexcept { return h.promise().then; }
    void await_resume() noexcept {}
  };
  struct promise_type : framed, result_store<T> {
    std::coroutine_handle<> then;
    task get_return_object() noexcept { return task(handle_type::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    final_awaiter final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { std::terminate(); }
  };
  struct awaiter {
    handle_type h;
    bool await_ready() noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
      h.promise().then = caller;
      return h;
    }
    T await_resume() { return h.promise().take(); }
  };

  explicit task(handle_type h) : handle(h) {}
  task(task&& other) noexcept : handle(std::exchange(other.handle, nullptr)) {}
  ~task() {
    if (handle) handle.destroy();
  }
  awaiter operator co_await() && noexcept { return {handle}; }

  handle_type handle;
};

// Queued as soon as it is made, joined through the object; dropped, it frees itself at its end.
class [[nodiscard]] job {
 public:
  struct promise_type;
  using handle_type = std::coroutine_handle<promise_type>;
  struct final_awaiter {
    bool await_ready() noexcept { return false; }
    std::coroutine_handle<> await_suspend(handle_type h) noexcept;
    void await_resume() noexcept {}
  };
  struct promise_type : framed, node {
    std::coroutine_handle<> then;
    bool done = false;
    bool dropped = false;
    job get_return_object() noexcept {
      handle = handle_type::from_promise(*this);
      return job(handle_type::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    final_awaiter final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };

  explicit job(handle_type h) : handle_(h) { here->push(&h.promise()); }
  job(job&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  ~job() {
    if (handle_) handle_.destroy();
  }
  void drop() { std::exchange(handle_, nullptr).promise().dropped = true; }

  bool await_ready() noexcept { return handle_.promise().done; }
  void await_suspend(std::coroutine_handle<> caller) noexcept { handle_.promise().then = caller; }
  void await_resume() noexcept {}

 private:
  handle_type handle_;
};

inline std::coroutine_handle<> job::final_awaiter::await_suspend(handle_type h) noexcept {
  auto& promise = h.promise();
  if (promise.dropped) {
    h.destroy();
    return std::noop_coroutine();
  }
  promise.done = true;
  return promise.then ? promise.then : std::noop_coroutine();
}

struct yield : node {
  bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) noexcept {
    handle = h;
    here->push(this);
  }
  void await_resume() noexcept {}
};

// Waiters are woken all at once.
class event {
 public:
  struct wait : node {
    explicit wait(event& e) : in(e) {}
    bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) noexcept {
      handle = h;
      next = std::exchange(in.waiters_, this);
    }
    void await_resume() noexcept {}
    event& in;
  };
  void set() {
    while (node* const n = waiters_) {
      waiters_ = n->next;
      here->push(n);
    }
  }

 private:
  node* waiters_ = nullptr;
};

// Runs the task and all that it starts.
inline void run(task<> main) {
  loop own;
  here = &own;
  node first;
  first.handle = main.handle;
  main.handle.promise().then = std::noop_coroutine();
  own.push(&first);
  own.run();
  here = nullptr;
}

// What the body leaves in its first parameter.
template <auto Body, auto... Arguments>
double measure() {
  double result = 0;
  run(Body(result, Arguments...));
  return result;
}

}  // namespace plait::lab::raw
