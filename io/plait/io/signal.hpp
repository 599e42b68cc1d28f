// Signals as something to await. From its construction the set's signals are blocked on this thread
// and on threads that are started later, and are read here instead; a signal that comes while
// nobody awaits is kept (once per number, as signals are). Make it before starting threads. The
// destructor unblocks what was not blocked before.
#pragma once

#include <plait/io/descriptor.hpp>
#include <plait/task.hpp>

#include <csignal>
#include <initializer_list>

namespace plait::io {

class signal_set {
 public:
  explicit signal_set(std::initializer_list<int> numbers);
  ~signal_set();
  signal_set(signal_set const&) = delete;
  signal_set& operator=(signal_set const&) = delete;

  // The number of the next signal. A cancel point.
  task<int> next();

 private:
  sigset_t previous_;
  descriptor fd_;
};

}  // namespace plait::io
