#pragma once

#include <cstddef>
#include <functional>
#include <new>
#include <span>
#include <string>
#include <system_error>

#include <sys/mman.h>
#include <sys/types.h>

#include "method/limits.hpp"

namespace plait::lab {

// Memory that forked children write and their parent reads. Zero-filled, for plain data.
template <class T>
class shared_array {
 public:
  explicit shared_array(std::size_t count)
      : bytes_(count * sizeof(T)),
        memory_(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)),
        count_(count) {
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~shared_array() { ::munmap(memory_, bytes_); }
  shared_array(shared_array const&) = delete;
  shared_array& operator=(shared_array const&) = delete;

  std::span<T> items() { return {static_cast<T*>(memory_), count_}; }
  T& operator[](std::size_t i) { return items()[i]; }

 private:
  std::size_t bytes_;
  void* memory_;
  std::size_t count_;
};

// Starts a thread for each i in [0, n), runs body(i) in it, joins them all.
void run_threads(long n, std::function<void(long)> const& body);

// Forks a process for each i in [0, n), runs body(i) in it, waits for them all. Only for a
// process without other threads. Throws when a fork fails (after waiting for those that were
// made) or a child does not end with status 0.
void run_processes(long n, std::function<void(long)> const& body);

// Forks one child that runs body and ends; it dies with its parent.
pid_t fork_child(std::function<void()> const& body);
// Waits for a child; throws unless it ended with status 0.
void reap_child(pid_t pid);

need needs_threads(double n);
need needs_processes(double n);

// Throws std::runtime_error, "wrong answer: WHAT", unless `right`.
void check_answer(bool right, std::string const& what);

[[noreturn]] void throw_errno(std::string const& what);

}  // namespace plait::lab
