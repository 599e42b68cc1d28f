// What a lock-free part is made of, so that tests/model can put a model checker's in its place.
#pragma once

#include <atomic>
#include <thread>

namespace plait::detail {

struct std_atomics {
  template <class T>
  using atomic = std::atomic<T>;
  static void yield() noexcept { std::this_thread::yield(); }
};

}  // namespace plait::detail
