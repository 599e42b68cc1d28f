// Threads of plait's own: with names, and without signals, which belong to the program's threads.
#pragma once

#include <plait/system_calls.hpp>

#include <functional>
#include <string_view>
#include <vector>

#include <pthread.h>

namespace plait::detail {

class named_threads {
 public:
  named_threads() = default;
  ~named_threads() { join(); }
  named_threads(named_threads const&) = delete;
  named_threads& operator=(named_threads const&) = delete;

  // Each calls body(number), which throws nothing, with the numbers from `first` on, and is called
  // name-number. Starts fewer where the system refuses more, and gives its errno, or 0. Throws bad_alloc
  // before it has started any.
  int start(unsigned first, unsigned count, std::string_view name, system_calls& sys,
            std::function<void(unsigned)> const& body);
  void join() noexcept;
  unsigned size() const noexcept { return static_cast<unsigned>(threads_.size()); }

 private:
  std::vector<pthread_t> threads_;
};

}  // namespace plait::detail
